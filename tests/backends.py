"""The demo's customer and order systems as processes of their own, on free ports."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backoffice.http import Client

BACKENDS = Path(__file__).resolve().parents[1] / "fixtures" / "backends"


class Backend:
    """One system as a process; `url` is its address."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it, on the same port as before if it ran before."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, str(BACKENDS / self._script), "--port", port]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1].rstrip("/")

    def stop(self) -> None:
        """Stop it; a call then finds nobody."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def play(self, **switches: Any) -> None:
        """Switch faults on, e.g. `fault="html"`."""
        Client(self.url, allow_loopback=True).post("/switches", json=switches)

    def calls(self, path: str) -> int:
        """Return how many requests `path` has had."""
        counts = Client(self.url, allow_loopback=True).get("/calls").json()
        return int(counts.get(path, 0))


def running(script: str) -> Iterator[Backend]:
    backend = Backend(script)
    backend.start()
    yield backend
    backend.stop()
