"""The fault proxy's process as tests hold it, and a peer that stands behind one."""

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, override

from backoffice.http import Client
from tests.contracts.peers import Peer, Said, Seen

SCRIPT = Path(__file__).resolve().parent / "faults.py"
DOOR = "/__faults__"


class FaultProxy:
    """Starts the proxy before `upstream` on a free port; `url` is its address."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, on the same port as before if it ran before; its rules are gone then."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, str(SCRIPT), "--upstream", self.upstream, "--port", port]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def stop(self) -> None:
        """Stop it; a call then finds nobody."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def ready(self) -> Self:
        """Return itself running, without rules and memory: one process serves many tests."""
        if self._process is None:
            self.start()
        else:
            self.forget()
        return self

    def play(self, do: str, **rule: Any) -> None:
        """Add a rule, as `tests/peers/faults.py` tells them; `body` may be given as bytes."""
        if isinstance(rule.get("body"), bytes):
            rule["body"] = base64.b64encode(rule["body"]).decode()
        self._client().post(DOOR, json={"do": do, **rule})

    def seen(self, methods: Sequence[str] = ("POST",)) -> list[Seen]:
        """Return the requests that came, oldest first."""
        return [
            Seen(row["method"], row["path"], row["headers"], base64.b64decode(row["body"]))
            for row in self._client().get(DOOR).json()["seen"]
            if row["method"] in methods
        ]

    def forget(self) -> None:
        """Drop all rules and all that came."""
        self._client().request("DELETE", DOOR)

    def _client(self) -> Client:
        return Client(self.url, allow_loopback=True, timeout=(5, 30), deadline=35)


class Proxied(Peer):
    """A peer whose faults a proxy plays; a subclass adds `seed` and `paid_back`.

    They talk to the program behind it directly, so that no fault of a test hits them.
    """

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy

    @override
    def say(self, said: Said, *, applied: bool = False) -> None:
        self.proxy.play(
            "say",
            status=said.status,
            headers=dict(said.headers),
            body=said.body,
            applied=applied,
        )

    @override
    def say_reads(self, *said: Said) -> None:
        for one in said:
            self.proxy.play(
                "say", methods=["GET"], status=one.status, headers=dict(one.headers), body=one.body
            )

    @override
    def lose_answer(self) -> None:
        self.proxy.play("drop")

    @override
    def save_500(self) -> None:
        body = json.dumps({"error": {"type": "api_error", "message": "Sorry"}}).encode()
        self.proxy.play("save", status=500, body=body)

    @override
    def stop(self) -> None:
        self.proxy.stop()

    @override
    def seen(self) -> list[Seen]:
        return self.proxy.seen()
