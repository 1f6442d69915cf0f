"""A proxy that breaks things: it stands before a peer, in its own process, and knows no vendor.

``python tests/peers/faults.py --upstream http://127.0.0.1:8080 [--port 0]`` prints its address.
Needs nothing but Python. Its own door is ``/__faults__``:

* ``POST`` a rule (JSON): what to do with requests to come. ``GET``: the requests that came.
  ``DELETE``: forget rules and requests.

A rule: ``do`` (below), ``times`` (1; -1 for ever), ``methods`` (["POST"]), ``path`` (a regular
expression that the path with its query holds, ""), ``chance`` (1.0), ``applied`` (say: hand the
request on first), ``status``, ``headers``, ``body`` (base64), ``seconds``.

====================  ============================================================================
``drop``              hand on, then hang up without an answer
``cut``               hand on, then hang up in the middle of the answer
``delay``             hand on, wait ``seconds``, then answer
``say``               answer with ``status``, ``headers``, ``body``; ``applied``: hand on first
``save``              hand on, answer with ``status``, ``body``; repeat that for the same key
``duplicate``         hand on twice, answer with the second answer
``refuse``            hang up at once; nothing is handed on
====================  ============================================================================
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import random
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

HOST = "127.0.0.1"
DOOR = "/__faults__"
KEY = "Idempotency-Key"
MAX_BODY = 16 * 1024 * 1024
MAX_SEEN = 1000
UPSTREAM_SECONDS = 60
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


class Answer(NamedTuple):
    """What goes back."""

    status: int
    headers: dict[str, str]
    body: bytes


class HangUp(Exception):  # noqa: N818 - not an error but a fault to play
    """The caller gets no answer."""


class Rules:
    """What is to be played, what came, and the answers saved under a key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(1)
        self._rules: list[dict[str, Any]] = []
        self._seen: list[dict[str, Any]] = []
        self._saved: dict[str, Answer] = {}

    def add(self, rule: dict[str, Any]) -> None:
        with self._lock:
            self._rules.append({"times": 1, "methods": ["POST"], "path": "", **rule})

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._seen.clear()

    def seen(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._seen)

    def note(self, request: dict[str, Any]) -> None:
        with self._lock:
            self._seen = [*self._seen[-MAX_SEEN:], request]

    def take(self, method: str, path: str) -> dict[str, Any]:
        """Return the first rule that fits, counted down; an empty one where none does."""
        with self._lock:
            for rule in self._rules:
                if rule["times"] and method in rule["methods"] and re.search(rule["path"], path):
                    if self._random.random() >= rule.get("chance", 1.0):
                        continue
                    rule["times"] -= 1
                    return rule
        return {"do": "pass"}

    def save(self, key: str, answer: Answer) -> None:
        with self._lock:
            self._saved[key] = answer

    def saved(self, key: str | None) -> Answer | None:
        with self._lock:
            return self._saved.get(key or "")


class Handler(BaseHTTPRequestHandler):
    """Hands on what no rule holds back."""

    protocol_version = "HTTP/1.1"
    timeout = UPSTREAM_SECONDS
    upstream: ClassVar[str]
    rules: ClassVar[Rules]

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), MAX_BODY))
        try:
            answer = self._door(body) if self.path == DOOR else self._play(body)
            self._send(answer)
        except (HangUp, OSError):
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _door(self, body: bytes) -> Answer:
        if self.command == "POST":
            self.rules.add(json.loads(body))
        elif self.command == "DELETE":
            self.rules.clear()
        return Answer(200, {}, json.dumps({"seen": self.rules.seen()}).encode())

    def _play(self, body: bytes) -> Answer:
        self.rules.note(
            {
                "method": self.command,
                "path": self.path,
                "headers": dict(self.headers.items()),
                "body": base64.b64encode(body).decode(),
            }
        )
        if saved := self.rules.saved(self.headers.get(KEY)):
            return saved
        rule = self.rules.take(self.command, self.path)
        return getattr(self, f"_{rule['do']}")(rule, body)  # type: ignore[no-any-return]

    def _pass(self, rule: dict[str, Any], body: bytes) -> Answer:
        address = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(
            address.hostname or HOST, address.port, timeout=UPSTREAM_SECONDS
        )
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        try:
            connection.request(self.command, address.path + self.path, body or None, headers)
            answer = connection.getresponse()
            given = {k: v for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP}
            return Answer(answer.status, given, answer.read())
        except http.client.HTTPException as error:
            raise HangUp from error
        finally:
            connection.close()

    def _drop(self, rule: dict[str, Any], body: bytes) -> Answer:
        self._pass(rule, body)
        raise HangUp

    def _refuse(self, rule: dict[str, Any], body: bytes) -> Answer:
        raise HangUp

    def _delay(self, rule: dict[str, Any], body: bytes) -> Answer:
        answer = self._pass(rule, body)
        time.sleep(rule["seconds"])
        return answer

    def _duplicate(self, rule: dict[str, Any], body: bytes) -> Answer:
        self._pass(rule, body)
        return self._pass(rule, body)

    def _cut(self, rule: dict[str, Any], body: bytes) -> Answer:
        answer = self._pass(rule, body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2])
        self.wfile.flush()
        raise HangUp

    def _say(self, rule: dict[str, Any], body: bytes) -> Answer:
        if rule.get("applied"):
            self._pass(rule, body)
        said = base64.b64decode(rule.get("body", ""))
        return Answer(rule["status"], rule.get("headers", {}), said)

    def _save(self, rule: dict[str, Any], body: bytes) -> Answer:
        answer = self._say({**rule, "applied": True}, body)
        self.rules.save(self.headers.get(KEY, ""), answer)
        return answer

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keep quiet: what came can be asked for."""


class Server(ThreadingHTTPServer):
    """Listens on the loopback address alone; callers that hang up are no news."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Read the arguments and serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    bound = type("Bound", (Handler,), {"upstream": options.upstream.rstrip("/"), "rules": Rules()})
    server = Server((HOST, options.port), bound)
    print(f"http://{HOST}:{server.server_address[1]}", flush=True)
    # Whoever started this holds its standard input: when that ends, however, so does this.
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
