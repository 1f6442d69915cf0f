"""Processes of ours that act on refunds at once, and die where a test says so.

Django is loaded once, in a process that forks a child for each thing to do: a real process, with
connections of its own, that a real SIGKILL ends. A child can be told to stand still at a named
place of our code, so that it is killed just there on any machine, however slow.

`python -m tests.payments.faults.crew FOLDER` reads tasks as lines of JSON.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.processes import ROOT, environment

SECONDS = 90
# Place -> what is called there. The child stands still right before it.
PLACES = {
    "before the intent is committed": "payments.services.holds.too_soon",
    "after the intent is committed": "payments.services.commands.of",
    "after the answer, before its record": "payments.services.outcomes.settle",
    "inside the record's transaction": "payments.services.ledger.book_refund",
    "after the record": "payments.services.breakers.note",
}


@dataclass
class Child:
    """One child; `name` is that of its files."""

    folder: Path
    name: str
    pid: int = 0

    def go(self) -> None:
        """Let it begin."""
        self._file("go").touch()

    def answer(self) -> Any:
        """Wait until it ended and return what it told; fail with its error."""
        told = json.loads(self._wait_for("told"))
        assert "error" not in told, told["error"]
        return told["value"]

    def ended(self) -> None:
        """Wait until it is gone, whatever came of it."""
        self._wait_for("gone")

    def stands_still(self) -> None:
        """Wait until it has come to its place."""
        self._wait_for("still")

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        os.kill(self.pid, 9)
        self._wait_for("gone")

    def _wait_for(self, what: str) -> str:
        end = time.monotonic() + SECONDS
        while not self._file(what).exists():
            assert time.monotonic() < end, f"{self.name} never told {what}"
            time.sleep(0.01)
        return self._file(what).read_text()

    def _file(self, what: str) -> Path:
        return self.folder / f"{self.name}.{what}"


class Crew:
    """Starts children; each does one thing of `DOES` and tells what came of it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._process: subprocess.Popen[str] | None = None

    def start(self, what: str, *numbers: int, stop: str = "", ready: bool = True) -> Child:
        """Fork a child that does `what`; with `ready` it waits for `go` in that moment."""
        self._count += 1
        child = Child(self._folder, str(self._count))
        task = {
            "name": child.name,
            "what": what,
            "numbers": numbers,
            "stop": PLACES[stop] if stop else "",
            "gateways": settings.GATEWAYS,
            "limits": settings.BACKOFFICE_REFUND_LIMITS,
            "ready": ready,
        }
        process = self._process or self._begin()
        assert process.stdin is not None
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        child.pid = int(child._wait_for("pid"))
        return child

    def do(self, what: str, *numbers: int) -> Any:
        """Do one thing in a child and return what it told."""
        return self.start(what, *numbers, ready=False).answer()

    def race(self, what: str, *numbers: int, times: int) -> list[Any]:
        """Do the same in so many children at the same moment; return what they told."""
        children = [self.start(what, *numbers) for _ in range(times)]
        for child in children:
            child._wait_for("ready")
        for child in children:
            child.go()
        return [child.answer() for child in children]

    def _begin(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.payments.faults.crew", str(self._folder)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, text=True
        )
        return self._process

    def end(self) -> None:
        """End the process that forks; children that stand still end with it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def crew(folder: Path) -> Iterator[Crew]:
    """Have a crew until the end of the block."""
    made = Crew(folder)
    try:
        yield made
    finally:
        made.end()


# What follows runs in the other processes.
def execute(number: int) -> str:
    """Send the refund; return its state."""
    from payments import services  # noqa: PLC0415 - Django is set up by now
    from payments.models import Refund  # noqa: PLC0415

    refund = Refund.objects.select_related("payment").get(pk=number)
    services.execute(refund)
    return str(refund.state)


def reconcile() -> int:
    """Look once at all open refunds."""
    from payments import services  # noqa: PLC0415 - Django is set up by now

    return services.reconcile()


def process() -> int:
    """Work on the inbox."""
    from payments.services import events  # noqa: PLC0415 - Django is set up by now

    return events.process()


def ask(order: int, user: int, minor: int, times: int, newest: int = -1) -> list[str]:
    """Ask for the same amount several times; return "held" or "refused" for each.

    `newest` is the refund that the form shows as the newest; -1 for a caller that shows none.
    """
    from backoffice.accounts.models import User  # noqa: PLC0415 - Django is set up by now
    from backoffice.money import Money  # noqa: PLC0415
    from orders.models import Order  # noqa: PLC0415
    from payments import services  # noqa: PLC0415

    actor, told = User.objects.get(pk=user), []
    for _ in range(times):
        try:
            row = Order.objects.get(pk=order)
            seen = None if newest < 0 else newest
            amount = Money(minor, "GBP")
            services.request_refund(row, amount, actor=actor, reason="Race", newest=seen)
            told.append("held")
        except services.RefundRefusedError:
            told.append("refused")
    return told


def approve(refund: int, user: int) -> str:
    """Approve it; return "approved" or "too late"."""
    from backoffice.accounts.models import User  # noqa: PLC0415 - Django is set up by now
    from backoffice.approvals.services import AlreadyDecidedError  # noqa: PLC0415
    from payments import services  # noqa: PLC0415
    from payments.models import Refund  # noqa: PLC0415

    try:
        row = Refund.objects.get(pk=refund)
        services.approve_refund(row, actor=User.objects.get(pk=user))
    except AlreadyDecidedError:
        return "too late"
    return "approved"


DOES: dict[str, Callable[..., Any]] = {
    "execute": execute,
    "reconcile": reconcile,
    "process": process,
    "ask": ask,
    "approve": approve,
}


def _child(folder: Path, task: dict[str, Any]) -> None:
    def touch(what: str, text: str = "") -> None:
        part = folder / f"{task['name']}.{what}.part"
        part.write_text(text)
        part.rename(folder / f"{task['name']}.{what}")

    try:
        settings.GATEWAYS = task["gateways"]
        settings.BACKOFFICE_REFUND_LIMITS = task["limits"]
        if task["stop"]:
            _stand_still_at(task["stop"], touch)
        if task["ready"]:
            from django.db import connection  # noqa: PLC0415 - one of this process alone

            connection.ensure_connection()
            touch("ready")
            while not (folder / f"{task['name']}.go").exists():
                time.sleep(0.002)
        touch("told", json.dumps({"value": DOES[task["what"]](*task["numbers"])}))
    except BaseException:  # noqa: BLE001 - the test tells it
        touch("told", json.dumps({"error": traceback.format_exc()}))


def _stand_still_at(place: str, touch: Any) -> None:
    from importlib import import_module  # noqa: PLC0415 - Django is set up by now

    module, _, name = place.rpartition(".")

    def still(*_: object, **__: object) -> None:
        touch("still")
        time.sleep(SECONDS)

    setattr(import_module(module), name, still)


def main() -> None:
    """Fork a child for each task, and note when it is gone.

    No signal handler looks for the dead: a second signal inside of it would reap them twice.
    """
    import select  # noqa: PLC0415 - of this process alone
    import signal  # noqa: PLC0415

    import django  # noqa: PLC0415

    django.setup()
    folder = Path(sys.argv[1])
    names: dict[int, str] = {}
    while True:
        # The other side writes a line and waits for its pid: none hides in the buffer.
        heard = select.select([sys.stdin], [], [], 0.01)[0]
        for pid in [pid for pid in names if os.waitpid(pid, os.WNOHANG)[0]]:
            (folder / f"{names.pop(pid)}.gone").touch()
        if not heard:
            continue
        line = sys.stdin.readline()
        if not line:
            return
        task = json.loads(line)
        pid = os.fork()
        if not pid:
            signal.alarm(2 * SECONDS)
            _child(folder, task)
            os._exit(0)
        names[pid] = task["name"]
        part = folder / f"{task['name']}.pid.part"
        part.write_text(str(pid))
        part.rename(folder / f"{task['name']}.pid")


if __name__ == "__main__":
    main()
