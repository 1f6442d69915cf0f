"""The gateway simulator as its own process, for tests: what it believes is what really happened."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from backoffice.http import Client
from backoffice.money import Money

SCRIPT = Path(__file__).resolve().parent.parent / "fixtures" / "backends" / "gateway.py"


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
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1].rstrip("/")

    def stop(self) -> None:
        """Stop it; a call then finds nobody."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def seed(self, reference: str, amount: Money) -> None:
        """Make a captured payment known."""
        self._post(
            "/payments",
            {"reference": reference, "amount_minor": amount.minor, "currency": amount.currency},
        )

    def play(self, **switches: float) -> None:
        """Switch faults on, e.g. `lose_answer=1`."""
        self._post("/switches", switches)

    def refunds(self, reference: str) -> list[dict[str, Any]]:
        """Return the refunds of a payment as the simulator has them on its books."""
        found: list[dict[str, Any]] = self._client().get(f"/payments/{reference}").json()["refunds"]
        return found

    def _post(self, path: str, body: dict[str, Any]) -> None:
        self._client().post(path, json=body)

    def _client(self) -> Client:
        return Client(self.url, allow_loopback=True)
