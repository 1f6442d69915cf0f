"""ClamAV's daemon, over the command INSTREAM of its socket protocol.

`BACKOFFICE_CLAMD` says where it listens: `host:port`, or the path of its socket. The file goes in
chunks, each after its length in four bytes, the highest first; a length of zero ends it. The
answer ends with a zero byte: `stream: OK`, `stream: <name> FOUND`, or `… ERROR`.
"""

import re
import socket
import struct
from typing import BinaryIO, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from backoffice.files.scanning import Scanner, ScannerError

_CHUNK: Final = 64 * 1024
_LONGEST_ANSWER: Final = 4096
_FOUND = re.compile(r"stream: (.+) FOUND")


class Clamd(Scanner):
    """Asks a clamd; `BACKOFFICE_SCANNER_SECONDS` limits each step of the talk."""

    def __init__(self) -> None:
        """Read where it is. Raises ImproperlyConfigured."""
        self.address = str(getattr(settings, "BACKOFFICE_CLAMD", ""))
        self.seconds = float(getattr(settings, "BACKOFFICE_SCANNER_SECONDS", 30))
        _host, colon, port = self.address.rpartition(":")
        if not self.address.startswith("/") and not (colon and port.isdecimal()):
            msg = "BACKOFFICE_CLAMD must be host:port or the path of a socket."
            raise ImproperlyConfigured(msg)

    def scan(self, file: BinaryIO) -> str:
        """Send the file; return the name of what was found, "" for nothing."""
        try:
            with self._connection() as link:
                self._send(link, file)
                answer = self._answer(link)
        except OSError as error:
            raise ScannerError(str(error)) from error
        if answer == "stream: OK":
            return ""
        if found := _FOUND.fullmatch(answer):
            return found[1][:120]
        raise ScannerError(answer[:200])

    def _connection(self) -> socket.socket:
        if self.address.startswith("/"):
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.settimeout(self.seconds)
            try:
                link.connect(self.address)
            except OSError:
                link.close()
                raise
            return link
        host, _colon, port = self.address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=self.seconds)

    @staticmethod
    def _send(link: socket.socket, file: BinaryIO) -> None:
        link.sendall(b"zINSTREAM\0")
        try:
            while chunk := file.read(_CHUNK):
                link.sendall(struct.pack("!I", len(chunk)) + chunk)
            link.sendall(struct.pack("!I", 0))
        except (BrokenPipeError, ConnectionResetError):
            pass  # It hangs up on a file that is too long for it; its answer says so.

    @staticmethod
    def _answer(link: socket.socket) -> str:
        """Read up to the zero byte; an answer that is cut off is none."""
        got = b""
        while not got.endswith(b"\0"):
            more = link.recv(_LONGEST_ANSWER)
            if not more or len(got) > _LONGEST_ANSWER:
                raise ScannerError("the scanner hung up")
            got += more
        return got.rstrip(b"\0").decode("utf-8", errors="replace").strip()
