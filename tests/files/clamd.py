"""A small clamd: it speaks the real daemon's INSTREAM and knows one virus, the EICAR test file."""

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# The test file of anti-virus makers, in two parts, so that no scanner takes this module for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Eicar-Test-Signature"
STREAM_MAX = 1024 * 1024


class Talk(socketserver.BaseRequestHandler):
    """One connection; `server.mood` says how the daemon is today."""

    def handle(self) -> None:
        """Answer one command."""
        command = self._until_zero()
        if command != b"zINSTREAM":
            self._say("UNKNOWN COMMAND")
            return
        if self.server.mood == "silent":  # type: ignore[attr-defined]
            return
        got = self._stream()
        if got is None:
            self._say("INSTREAM size limit exceeded. ERROR")
        elif self.server.mood == "broken":  # type: ignore[attr-defined]
            self._say("stream: Can't allocate memory ERROR")
        else:
            self._say(f"stream: {NAME} FOUND" if EICAR in got else "stream: OK")

    def _until_zero(self) -> bytes:
        command = b""
        while not command.endswith(b"\0"):
            byte = self.request.recv(1)
            if not byte:
                return b""
            command += byte
        return command[:-1]

    def _stream(self) -> bytes | None:
        """Return the file; None when it is longer than the daemon takes."""
        got = b""
        while (length := struct.unpack("!I", self._exactly(4))[0]) > 0:
            got += self._exactly(length)
            if len(got) > STREAM_MAX:
                return None
        return got

    def _exactly(self, length: int) -> bytes:
        got = b""
        while len(got) < length:
            more = self.request.recv(length - len(got))
            if not more:
                raise ConnectionError
            got += more
        return got

    def _say(self, text: str) -> None:
        self.request.sendall(text.encode() + b"\0")


class _Quiet:
    daemon_threads = True
    mood = "well"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up."""


class _Tcp(_Quiet, socketserver.ThreadingTCPServer):
    pass


class _Unix(_Quiet, socketserver.ThreadingUnixStreamServer):
    pass


@contextmanager
def running(mood: str = "well", path: Path | None = None) -> Iterator[str]:
    """Run the daemon on a free port, or on a socket at `path`; its address."""
    server = _Tcp(("127.0.0.1", 0), Talk) if path is None else _Unix(str(path), Talk)
    server.mood = mood
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield str(path) if path else f"127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        server.server_close()


def closed_port() -> str:
    """Return an address on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def found(text: str) -> str:
    """Return the virus that a sentence names."""
    match = re.search(r"Eicar[\w-]+", text)
    return match[0] if match else ""
