"""Prism between an adapter and a fake: both are held to the vendor's own OpenAPI file.

The files are large, change often and are not ours: whoever has them puts them into one folder as
`<alias>….json` or `<alias>….yaml` and names it in BACKOFFICE_OPENAPI. Prism answers a request that
breaks the file with 422, and an answer of the fake that breaks it with 500.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backoffice.http import Client, HttpError, Kind
from tests.peers import install

SECONDS = 60
"""A file of a megabyte takes Prism a quarter of a minute."""


def document(alias: str) -> Path | None:
    """Return the vendor's file; None where this machine has none."""
    folder = os.environ.get("BACKOFFICE_OPENAPI", "")
    found = sorted(Path(folder).glob(f"{alias}*")) if folder else []
    return found[0] if found else None


@contextmanager
def held_to(path: Path, upstream: str) -> Iterator[str]:
    """Run Prism before `upstream`; yield its address."""
    port = _free_port()
    command, environment = install.prism()
    options = ["proxy", "--errors", "--port", str(port), "--verboseLevel", "silent"]
    process = subprocess.Popen(
        [*command, *options, str(path), upstream], env={**os.environ, **environment}
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield url
    finally:
        process.kill()
        process.communicate()


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return when it answers, whatever it says."""
    ends_at = time.monotonic() + SECONDS
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            Client(url, allow_loopback=True, retries=0).get("/")
        except HttpError as error:
            if error.kind is Kind.STATUS:
                return
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"Prism did not start: {process.poll()}")
