"""The demo's customer and order systems as processes on free ports."""

import subprocess
import sys
from pathlib import Path
from typing import Self

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "backends"


class BackendProcess:
    """One of the demo backends; `url` is its address while it runs."""

    def __init__(self, script: str) -> None:
        self._script = FOLDER / script
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, on the port it had before if it ran before."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, str(self._script), "--port", port]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1].rstrip("/")

    def stop(self) -> None:
        """Stop it; a call then finds nobody."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
