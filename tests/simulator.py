"""The gateway simulator as its own process, for tests: what it believes is what really happened."""

import base64
import hashlib
import hmac
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from backoffice.http import Client
from backoffice.money import Money

SCRIPT = Path(__file__).resolve().parent.parent / "fixtures" / "backends" / "gateway.py"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of these tests alone").decode()


def signed(
    event_id: str, body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None
) -> dict[str, str]:
    """Return the headers of an event, by the text of the Standard Webhooks specification.

    `at` in seconds since 1970; now if not given. Written apart from both programs on purpose.
    """
    stamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join([event_id.encode(), stamp.encode(), body])
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
    }


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what the condition returns once that is true; fail after so many seconds."""
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.05)
    return found


class SimulatorProcess:
    """Starts the simulator on a free port with a ledger of its own; `url` is its address."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, on the same port and ledger as before if it ran before."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, str(SCRIPT), "--port", port, "--state", str(self._state)]
        env = {**os.environ, "GATEWAY_SECRET": WEBHOOK_SECRET}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1].rstrip("/")

    def stop(self) -> None:
        """Stop it; a call then finds nobody."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def seed(self, reference: str, amount: Money, *, day: str = "") -> None:
        """Make a captured payment known; captured today, or on `day` (2026-11-20)."""
        self.post(
            "/payments",
            reference=reference,
            amount_minor=amount.minor,
            currency=amount.currency,
            captured_on=day,
        )

    def play(self, **switches: float) -> None:
        """Switch faults on, e.g. `lose_answer=1`; the names are in `gateway_switches.py`."""
        self.post("/switches", **switches)

    def chaos(self, seed: int, **chances: float) -> None:
        """Play faults by lot from now on, e.g. `lose_answer=0.05`; nothing else is."""
        self.post("/chaos", seed=seed, **chances)

    def calm(self) -> None:
        """Switch every fault off."""
        self.post("/switches/off")

    def send_events_to(self, url: str) -> None:
        """Send events there from now on, signed with WEBHOOK_SECRET; "" for nowhere."""
        self.post("/webhook", url=url)

    def refunds(self, reference: str) -> list[dict[str, Any]]:
        """Return the refunds of a payment as the simulator lists them."""
        found: list[dict[str, Any]] = self.get(f"/payments/{reference}")["refunds"]
        return found

    def all_refunds(self) -> list[dict[str, Any]]:
        """Return every refund on the books, the oldest first."""
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.get(f"/refunds?after={after}")
            found += page["refunds"]
            after = page["next"]
        return found

    def events(self, reference: str = "") -> list[dict[str, Any]]:
        """Return the events, of one payment where named, with how each copy was answered."""
        found: list[dict[str, Any]] = self.get(f"/events?payment={reference}")["events"]
        return found

    def refund_elsewhere(self, reference: str, amount: Money) -> str:
        """Refund in the gateway's own dashboard; return the gateway's reference."""
        path = f"/payments/{reference}/external"
        return str(self.post(path, amount_minor=amount.minor)["id"])

    def end(self, refund: str, how: str) -> None:
        """Let a refund `succeed` or `fail` that pends, or `reverse` one that had succeeded."""
        self.post(f"/refunds/{refund}/{how}")

    def dispute(self, reference: str, amount: Money, reason: str = "fraudulent") -> str:
        """Open a dispute; return its reference."""
        body = {"amount_minor": amount.minor, "reason": reason}
        return str(self.post(f"/payments/{reference}/disputes", **body)["id"])

    def decide(self, dispute: str, how: str) -> None:
        """Let a dispute be decided: `win` for us, or `lose`."""
        self.post(f"/disputes/{dispute}/{how}")

    def get(self, path: str) -> dict[str, Any]:
        """Return what it answers to a read."""
        found: dict[str, Any] = self._client().get(path).json()
        return found

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Return what it answers to a write."""
        found: dict[str, Any] = self._client().post(path, json=body).json()
        return found

    def _client(self) -> Client:
        return Client(self.url, allow_loopback=True)
