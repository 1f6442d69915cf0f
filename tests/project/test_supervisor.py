"""Processes that are kept running: real ones, started and stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backoffice.project.supervisor import (
    FIRST_WAIT,
    AlreadyRunningError,
    Supervisor,
    answers,
    is_free,
    only_one,
    wait_until,
)

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
# A process that starts another one, as gunicorn starts its workers.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""
DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(said.append)
    yield supervisor
    supervisor.stop()


def is_alive(pid: int) -> bool:
    """Say whether the process runs; a dead one that nobody waited for yet does not."""
    status = Path(f"/proc/{pid}/stat")
    if status.exists():
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_child_that_died_starts_again_after_a_wait(supervisor: Supervisor, said: list[str]) -> None:
    child = supervisor.add("sleeper", SLEEPER)
    assert child.process is not None
    first = child.process
    first.send_signal(signal.SIGKILL)
    first.wait()
    now = time.monotonic()

    supervisor.tick(now)
    supervisor.tick(now + FIRST_WAIT / 2)
    assert child.process is first
    supervisor.tick(now + FIRST_WAIT)

    assert child.alive()
    assert said == [
        "sleeper ended (exit code -9); it starts again in 1 s",
        "sleeper starts again",
    ]


def test_child_that_dies_young_waits_longer_each_time(supervisor: Supervisor) -> None:
    child = supervisor.add("failing", [sys.executable, "-c", "raise SystemExit(3)"])
    waits = []
    for _round in range(7):
        assert child.process is not None
        child.process.wait()
        now = time.monotonic()
        supervisor.tick(now)
        assert child.again_at is not None
        waits.append(round(child.again_at - now))
        supervisor.tick(child.again_at)

    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_stop_ends_what_a_child_started(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = supervisor.add("parent", [sys.executable, "-c", PARENT, str(note)])
    assert wait_until(lambda: note.exists() and note.read_text() != "", 60)

    supervisor.stop()

    assert not child.alive()
    assert wait_until(lambda: not is_alive(int(note.read_text())), 5)


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from backoffice.project.supervisor import Supervisor\n"
        f"child = Supervisor(print).add('sleeper', {SLEEPER!r})\n"
        "print(child.process.pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert wait_until(lambda: not is_alive(pid), 5)


def test_stop_kills_a_child_that_does_not_listen(
    said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("backoffice.project.supervisor.STOP_SECONDS", 0.3)
    supervisor = Supervisor(said.append)
    note = tmp_path / "deaf"
    child = supervisor.add("stubborn", [sys.executable, "-c", DEAF, str(note)])
    assert wait_until(note.exists, 60)  # from now on it ignores the signal

    supervisor.stop()

    assert not child.alive()
    assert said == ["stubborn does not stop; it is killed"]


def test_port_in_use_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not is_free(url)
    assert is_free(url)


def test_nobody_answers_on_a_free_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not answers(f"http://127.0.0.1:{port}/health")


def test_second_process_is_refused_the_folder(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from backoffice.project.supervisor import only_one\n"
        "with only_one(pathlib.Path(sys.argv[1])): pass"
    )
    with only_one(tmp_path):
        command = [sys.executable, "-c", code, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert AlreadyRunningError.__name__ in done.stderr
    with only_one(tmp_path):
        pass
