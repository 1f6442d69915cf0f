#!/usr/bin/env python3
"""Undo a large import of which some rows were edited since, then another one under kill -9.

`make soak-undo ROWS=100000 KILLS=10 DATABASES=sqlite,postgres`. A workbook of shops comes in by
upload, check and run: half of its rows stood there before and are changed, half are made; 50 of
them are edited afterwards. All but these have to come back
byte for byte, each with its history, and these have to be listed. Each database is new and goes
afterwards. It ends by itself: it gives up when no step is done for SECONDS_A_STEP.
"""

import argparse
import hashlib
import random
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.soak.databases import run_on
from tests.soak.soak_jobs import _end, _fork

EDITED, SECONDS_A_STEP = 50, 60
LONGEST = 0.3
"""Seconds that a transaction may keep others from writing to SQLite, on a machine of its own."""


class Scene:
    """Shops that an import changed and made; what they were before."""

    def __init__(self, rows: int, owner: Any, random_: random.Random) -> None:
        from sellers.models import Seller  # noqa: PLC0415 - needs the settings

        self.owner, self.random, self.half = owner, random_, rows // 2
        self.model = Seller
        self.old = list(Seller.objects.filter(code__startswith="k").order_by("pk")[: self.half])

    def prepare(self) -> None:
        """Bring in the rows that the import will change."""
        self._bring([[f"k{n}", f"Shop {n}"] for n in range(self.half)])
        self.old = list(self.model.objects.filter(code__startswith="k").order_by("pk"))

    def _bring(self, rows: list[list[str]]) -> Any:
        """Import a workbook as a person does: upload, check, run."""
        from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: PLC0415

        from backoffice.jobs.run import execute  # noqa: PLC0415 - needs the settings
        from backoffice.sheets import services  # noqa: PLC0415
        from backoffice.sheets.models import ImportJob  # noqa: PLC0415
        from tests.sheets.supplies import book  # noqa: PLC0415

        file = SimpleUploadedFile("shops.xlsx", book(rows, ("code", "name")))
        job = services.take(file, self.owner)
        ImportJob.objects.filter(pk=job.pk).update(format="sellers")
        job.refresh_from_db()
        execute(services.check(job, actor=self.owner).pk)
        job.refresh_from_db()
        execute(services.start(job, actor=self.owner).pk)
        job.refresh_from_db()
        if job.state != ImportJob.State.DONE or job.ways["seller"]["way"] != "fast":
            msg = f"the import ended as {job.state}: {job.message}; {job.ways}"
            raise RuntimeError(msg)
        return job

    def bring_in(self, prefix: str) -> Any:
        """Import changed and new rows; edit some of both since."""
        from backoffice.audit import history  # noqa: PLC0415 - needs the settings

        changed = [[row.code, f"Changed {prefix}"] for row in self.old]
        job = self._bring([*changed, *([f"{prefix}{n}", f"New {n}"] for n in range(self.half))])
        made = list(self.model.objects.filter(code__startswith=prefix).order_by("pk"))
        if len(made) != self.half or len(self.old) != self.half:
            msg = f"{len(made)} made and {len(self.old)} from before, not {self.half}"
            raise RuntimeError(msg)
        self.edited = self.random.sample(self.old, EDITED // 2)
        self.edited += self.random.sample(made, EDITED - EDITED // 2)
        for row in self.edited:
            row.name = "Looked after"
        history.bulk_update(self.edited, ["name"], actor=None, reason="Moved")
        return job

    def wrong(self, undo: Any, before: dict[Any, str], edited: dict[Any, str]) -> list[str]:
        """Compare what the undo did with what it should have done."""
        from tests.sheets.journal import left  # noqa: PLC0415 - needs the settings

        keys = {row.pk for row in self.edited}
        old = {row.pk for row in self.old}
        expected = {**before, **{key: edited[key] for key in keys}}
        mine = self.model.history.filter(history_change_reason=undo.change_reason)
        back = len(old - keys)
        gone = self.half - len(keys - old)
        listed = {(str(key), "edited") for key in keys}
        counts = undo.counters.get("seller")
        facts = {
            "the table": self.digests() == expected,
            "the list": left(undo) == listed,
            "the counts": counts == {"back": back, "deleted": gone, "left": len(keys)},
            "history of what is back": mine.filter(history_type="~").count() == back,
            "history of what went": mine.filter(history_type="-").count() == gone,
            "history, once a row": mine.values("id").distinct().count() == mine.count(),
        }
        return [f"{name} is wrong: {counts}" for name, holds in facts.items() if not holds]

    def digests(self) -> dict[Any, str]:
        """Return key -> a hash of the whole row as the database holds it."""
        from tests.sheets.journal import stored  # noqa: PLC0415 - needs the settings

        return {
            key: hashlib.blake2b("\x1f".join(row).encode(), digest_size=8).hexdigest()
            for key, row in stored(self.model).items()
        }


@contextmanager
def timed() -> Iterator[list[float]]:
    """Collect how long each transaction of a job was."""
    from backoffice.jobs.run import JobRun  # noqa: PLC0415 - needs the settings

    took: list[float] = []
    rest = JobRun._let_others_write

    def noted(self: Any, held: float) -> None:
        took.append(held)
        rest(self, held)

    JobRun._let_others_write = noted  # type: ignore[method-assign]
    try:
        yield took
    finally:
        JobRun._let_others_write = rest  # type: ignore[method-assign]


def undo_here(job: Any, owner: Any) -> Any:
    """Undo in this process."""
    from backoffice.jobs.run import execute  # noqa: PLC0415 - needs the settings
    from backoffice.sheets.undoing import undo  # noqa: PLC0415

    begun = undo.begin(job, actor=owner)
    execute(begun.job_id)  # type: ignore[arg-type]
    begun.refresh_from_db()
    return begun


def undo_killed(job: Any, owner: Any, kills: int) -> tuple[Any, int]:
    """Undo by workers that are killed after a step; return the undo and how many kills hit it."""
    from backoffice.sheets.undoing import undo  # noqa: PLC0415 - needs the settings

    begun = undo.begin(job, actor=owner)
    killed, worker = 0, _fork()
    try:
        while killed < kills:
            if step_or_end(begun.pk):
                break
            _end(worker)
            killed, worker = killed + 1, _fork()
        while not step_or_end(begun.pk):
            pass
    finally:
        _end(worker)
    begun.refresh_from_db()
    return begun, killed


def step_or_end(key: int) -> bool:
    """Wait until the undo did a step, but not for ever; say whether it has ended."""
    from backoffice.sheets.models import Undo  # noqa: PLC0415 - needs the settings

    found, end = Undo.objects.filter(pk=key), time.monotonic() + SECONDS_A_STEP
    before = found.values_list("step", flat=True).get()
    while found.filter(step=before, state=Undo.State.RUNNING).exists():
        if time.monotonic() > end:
            msg = "nothing goes on"
            raise TimeoutError(msg)
        time.sleep(0.002)
    return not found.filter(state=Undo.State.RUNNING).exists()


def soak(rows: int, kills: int, seed: int, *, strict: bool) -> int:
    """Run on the database of DATABASE_URL; 1 when anything is wrong."""
    import django  # noqa: PLC0415 - the settings are known by now
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    from django.db import connection  # noqa: PLC0415

    from backoffice.accounts.models import User  # noqa: PLC0415

    call_command("migrate", run_syncdb=True, verbosity=0)
    owner = User.objects.create_user("oli", is_staff=True, is_superuser=True)
    scene = Scene(rows, owner, random.Random(seed))
    scene.prepare()
    wrong, told = [], []
    for turn, count in enumerate((0, kills)):
        before = scene.digests()
        job = scene.bring_in(f"n{turn}-")
        edited, start = scene.digests(), time.monotonic()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with timed() as took:
            undo, killed = undo_killed(job, owner, count) if count else (undo_here(job, owner), 0)
        seconds = time.monotonic() - start
        wrong += scene.wrong(undo, before, edited)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) // 1024
        longest = max(took, default=0.0)
        told.append(
            f"{seconds:.1f} s under {killed} kills"
            if count
            else f"{seconds:.1f} s, longest transaction {longest:.2f} s, {grown} MB more"
        )
        if strict and connection.vendor == "sqlite" and longest > LONGEST:
            wrong.append(f"a transaction took {longest:.2f} s")
        if count and killed < count and killed * 2 < count:
            wrong.append(f"only {killed} of {count} kills hit the undo")
        scene = Scene(rows, owner, scene.random)
    facts = f"{rows} rows, {EDITED} edited since: {'; '.join(told)}; seed {seed}"
    print(f"{connection.vendor}: {facts}", flush=True)
    for line in wrong:
        print(f"  WRONG: {line}")
    return int(bool(wrong))


def main() -> int:
    """Run on each database in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--strict", action="store_true", help="long transactions are wrong too")
    parser.add_argument("--here", action="store_true", help="on DATABASE_URL, in this process")
    given = parser.parse_args()
    if given.here:
        return soak(given.rows, given.kills, given.seed, strict=given.strict)
    options = [f"--rows={given.rows}", f"--kills={given.kills}", f"--seed={given.seed}"]
    options += ["--strict"] if given.strict else []
    names = [name for name in given.databases.split(",") if name]
    return max(run_on(name, __file__, tuple(options), "tests.soak.settings") for name in names)


if __name__ == "__main__":
    sys.exit(main())
