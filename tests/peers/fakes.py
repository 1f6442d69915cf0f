"""The server of the vendors' fakes: one thread a connection, JSON, and a door for the tests.

A fake is a program of its own and imports nothing of the backoffice: what stands in its books is an
independent witness. Under ``/__books__`` it does what no vendor offers: make payments known, read
the books, play the bank.
"""

from __future__ import annotations

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, override
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

HOST = "127.0.0.1"
DOOR = "__books__"
MAX_BODY = 1024 * 1024

type Json = Any


class Answer(NamedTuple):
    """HTTP status, JSON body, extra headers."""

    status: int
    body: Json
    headers: Mapping[str, str] = {}


class Call(NamedTuple):
    """A request: method, decoded parts of the path, query, headers, JSON body (None for none)."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Message[str, str]
    body: Json


class Fake(Protocol):
    """A vendor."""

    def vendor(self, call: Call) -> Answer:
        """Answer as the vendor does."""

    def door(self, call: Call) -> Answer:
        """Do what the tests ask; `call.path` without the door's own name."""


class Handler(BaseHTTPRequestHandler):
    """Reads a request, hands it to the fake, writes one answer."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    fake: ClassVar[Fake]

    def do_GET(self) -> None:
        """Answer a read."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a write."""
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = tuple(unquote(part) for part in parts.path.split("/") if part)
        raw = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), MAX_BODY))
        call = Call(self.command, path, dict(parse_qsl(parts.query)), self.headers, _json(raw))
        if path[:1] == (DOOR,):
            self._send(self.fake.door(call._replace(path=path[1:])))
        else:
            self._send(self.fake.vendor(call))

    def _send(self, answer: Answer) -> None:
        raw = json.dumps(answer.body, ensure_ascii=False).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json;charset=utf-8")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    """Listens on the loopback address alone."""

    daemon_threads = True
    request_queue_size = 128

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error unless the caller went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(fake: Fake, port: int) -> None:
    """Serve until killed; print the address first."""
    bound = type("Bound", (Handler,), {"fake": fake})
    server = Server((HOST, port), bound)
    print(f"http://{HOST}:{server.server_address[1]}", flush=True)
    server.serve_forever()


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows `--port` (0: a free one)."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--port", type=int, default=0)
    return parser


def _json(raw: bytes) -> Json:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
