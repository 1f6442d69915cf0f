"""Run localstripe on the loopback address alone, without its file in /tmp.

Its own starter listens on every address of the machine. Run by the Python of its own environment
(it is GPLv3 and no dependency of ours); the address is printed when it listens.
"""

import asyncio
import socket
import sys

from aiohttp import web  # type: ignore[import-not-found]
from localstripe.resources import Store  # type: ignore[import-not-found]
from localstripe.server import app  # type: ignore[import-not-found]


async def main() -> None:
    """Serve until standard input ends."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    # Whoever started this holds its standard input: when that ends, however, so does this.
    await asyncio.to_thread(sys.stdin.read)


def keep_in_memory(store: Store) -> None:
    """Write no file: several of them run at the same time."""


Store.dump_to_disk = keep_in_memory
asyncio.run(main())
