"""A mail server that keeps what it is given and may hold back its answer."""

import socketserver
import threading
import time
from typing import Any, Self

_READY = b"354 go on\r\n"
_FINE = b"250 fine\r\n"


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mails on a free port of this machine; `hold` seconds pass before it says so."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.hold = 0.0
        self.mails: list[str] = []

    @property
    def address(self) -> str:
        """The address, as BACKOFFICE_MAIL_SERVER wants it."""
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_args: object) -> None:
        self.shutdown()
        self.server_close()


class _Talk(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb == b"DATA":
                self.wfile.write(_READY)
                self._take()
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(_FINE)

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        self.server.mails.append(b"".join(lines).decode())
        time.sleep(self.server.hold)
