"""Keeps a few processes running: starts them, starts them again when they die, stops them all."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

STOP_SECONDS = 10
"""A process that was asked to stop gets so long before it is killed."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds before a dead process is started again: doubled each time it dies young."""
GROWN_UP = 60.0
"""A process that lived for so many seconds did not die young."""


class StoppedError(Exception):
    """Somebody asked for the end (Ctrl-C, SIGTERM, a closed terminal)."""


class AlreadyRunningError(Exception):
    """Another process has the folder."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises AlreadyRunningError when another process has it."""
    with (folder / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunningError from None
        yield


def _end_with_parent() -> None:
    """Ask Linux to end this process when its parent dies, even by kill -9."""
    set_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)


@dataclass
class Child:
    """One process and what was tried with it. Times are of `time.monotonic`, in seconds."""

    name: str
    command: Sequence[str]
    quiet: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = FIRST_WAIT
    again_at: float | None = None

    def start(self) -> None:
        """Start it in a process group of its own, so that Ctrl-C reaches it through us alone."""
        self.process = subprocess.Popen(  # noqa: S603 - commands of ours
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self.quiet else None,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads here
        )
        self.started, self.again_at = time.monotonic(), None

    def send(self, number: int) -> None:
        """Send a signal to it and all it started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return

    def alive(self) -> bool:
        """Say whether it runs."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Runs children until `StoppedError`; `say` tells people what happens."""

    say: Callable[[str], object]
    children: list[Child] = field(default_factory=list)

    def add(self, name: str, command: Sequence[str], *, quiet: bool = False) -> Child:
        """Start a process and keep it running from now on; `quiet`: only its errors are shown."""
        child = Child(name, command, quiet=quiet)
        child.start()
        self.children.append(child)
        return child

    def watch(self, interval: float = 0.3) -> None:
        """Start again what dies, for ever."""
        while True:
            self.tick(time.monotonic())
            time.sleep(interval)

    def tick(self, now: float) -> None:
        """Look at each child once."""
        for child in self.children:
            if child.again_at is not None and now >= child.again_at:
                self.say(f"{child.name} starts again")
                child.start()
            elif child.again_at is None and not child.alive():
                self._died(child, now)

    def _died(self, child: Child, now: float) -> None:
        code = child.process.returncode if child.process is not None else None
        child.wait = FIRST_WAIT if now - child.started > GROWN_UP else child.wait
        child.again_at = now + child.wait
        self.say(f"{child.name} ended (exit code {code}); it starts again in {child.wait:.0f} s")
        child.wait = min(child.wait * 2, LONGEST_WAIT)

    def stop(self) -> None:
        """Ask all to stop, newest first, and kill what does not listen."""
        running = [child for child in reversed(self.children) if child.alive()]
        for child in running:
            child.send(signal.SIGTERM)
        limit = time.monotonic() + STOP_SECONDS
        for child in running:
            self._wait(child, max(limit - time.monotonic(), 0.1))
        for child in running:
            child.send(signal.SIGKILL)  # what it started and left behind

    def _wait(self, child: Child, seconds: float) -> None:
        if child.process is None:
            return
        try:
            child.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.say(f"{child.name} does not stop; it is killed")
            child.send(signal.SIGKILL)
            child.process.wait()


def stop_on_signals() -> None:
    """Make Ctrl-C, SIGTERM and a closed terminal raise StoppedError, once."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise StoppedError

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def address(url: str) -> tuple[str, int]:
    """Return host and port of an address such as "http://127.0.0.1:8101"."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def is_free(url: str) -> bool:
    """Say whether nobody listens there."""
    host, port = address(url)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def answers(url: str) -> bool:
    """Say whether a web server answers there, with anything but an error of its own."""
    host, port = address(url)
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", urlsplit(url).path or "/")
        return connection.getresponse().status < 500  # noqa: PLR2004 - HTTP's server errors
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], seconds: float, interval: float = 0.1) -> bool:
    """Wait until it holds; False when it did not in time."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(interval)
    return True
