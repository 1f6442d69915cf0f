#!/usr/bin/env python3
"""Kill workers with -9 at random moments and see that every job ends once, no effect doubled.

`make soak-jobs KILLS=200 DATABASES=sqlite,postgres`. Each database is new and goes afterwards.
Workers are forked from this process, so that starting one costs nothing; each is a process of its
own with connections of its own. It ends by itself: after SECONDS_A_KILL for each kill it gives up.
"""

import argparse
import os
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.soak.databases import run_on

WORKERS, WAITING, STEPS = 3, 4, 40
SECONDS_A_KILL, SECONDS_TO_END = 20, 120
# What a busy machine may add to the reaper's period before a job counts as stuck.
MARGIN = 3.0


@dataclass
class Soak:
    """One run on one database. `waits` are the seconds from a kill to the job's being free."""

    kills: int
    jobs: int
    seed: int
    workers: list[int] = field(default_factory=list)
    hit: dict[int, tuple[int, float]] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    killed: int = 0
    made: int = 0

    def run(self) -> list[str]:
        """Kill as often as wanted, let the rest end; return what is wrong."""
        self.random = random.Random(self.seed)
        end = time.monotonic() + SECONDS_A_KILL * self.kills
        try:
            while self.made < self.jobs:
                self._fill()
            while self.killed < self.kills:
                if time.monotonic() > end:
                    return [f"only {self.killed} of {self.kills} kills in the time there was"]
                self._fill()
                self._look_for(self.random.uniform(0.05, 1.2))
                self._kill()
            return self._wait_for_the_end()
        finally:
            for pid in self.workers:
                _end(pid)

    def _fill(self) -> None:
        """Keep jobs waiting and workers running."""
        from backoffice.jobs import services  # noqa: PLC0415 - needs the settings
        from backoffice.jobs.models import Job  # noqa: PLC0415

        active = Job.objects.filter(state__in=Job.ACTIVE).count()
        for _ in range(max(WORKERS + WAITING - active, self.jobs - self.made)):
            services.start("soak.count", actor=None, title="Count", params={"steps": STEPS})
            self.made += 1
        while len(self.workers) < WORKERS:
            self.workers.append(_fork())

    def _kill(self) -> None:
        from backoffice.jobs.models import Job  # noqa: PLC0415 - needs the settings

        pid = self.workers.pop(self.random.randrange(len(self.workers)))
        _end(pid)
        self.killed += 1
        for job in Job.objects.filter(state="running", worker__contains=f"-{pid}-"):
            self.hit[job.pk] = (job.attempt, time.monotonic())

    def _look_for(self, seconds: float) -> None:
        """Watch for some time how lost jobs become free."""
        from backoffice.jobs.models import Job  # noqa: PLC0415 - needs the settings

        end = time.monotonic() + seconds
        while True:
            held = dict(Job.objects.filter(state="running").values_list("pk", "attempt"))
            for key, (attempt, since) in list(self.hit.items()):
                if held.get(key) != attempt:
                    self.waits.append(time.monotonic() - since)
                    del self.hit[key]
            if time.monotonic() > end:
                return
            time.sleep(0.05)

    def _wait_for_the_end(self) -> list[str]:
        from backoffice.jobs.models import Job  # noqa: PLC0415 - needs the settings

        end = time.monotonic() + SECONDS_TO_END
        while Job.objects.filter(state__in=Job.ACTIVE, kind="soak.count").exists():
            if time.monotonic() > end:
                return ["jobs are stuck: " + _states()]
            self._look_for(0.2)
            while len(self.workers) < WORKERS:
                self.workers.append(_fork())
        return [*_wrong(), *self._stuck(), *self._taken_twice()]

    def _stuck(self) -> list[str]:
        from django.conf import settings  # noqa: PLC0415 - needs the settings

        from backoffice.jobs import upkeep  # noqa: PLC0415

        # A sign of life may be as old as its period when the worker dies.
        longest = settings.BACKOFFICE_JOB_LOST_AFTER + upkeep.beat_seconds() / 2 + MARGIN
        late = [wait for wait in self.waits if wait > longest]
        return (
            [f"{len(late)} jobs were lost for more than {longest:.1f} s: {max(late):.1f}"]
            if late
            else []
        )

    def _taken_twice(self) -> list[str]:
        """Without a kill, no job is taken up by two workers."""
        from backoffice.jobs.models import Job  # noqa: PLC0415 - needs the settings

        twice = Job.objects.filter(attempt__gt=1, kind="soak.count")
        return (
            []
            if self.kills
            else [f"job {job.pk} was taken up {job.attempt} times" for job in twice]
        )

    def told(self) -> str:
        """Return the numbers in a line."""
        from backoffice.jobs.models import Job  # noqa: PLC0415 - needs the settings
        from tests.soak.models import Effect  # noqa: PLC0415

        waits = sorted(self.waits) or [0.0]
        tries = Job.objects.order_by("-attempt").values_list("attempt", flat=True)[0]
        return (
            f"{self.killed} kills, {len(self.waits)} in the middle of a job; {self.made} jobs, "
            f"{_states()}; {Effect.objects.count()} effects, {len(_doubled())} doubled; most tries "
            f"of a job {tries}; a lost job "
            f"was free after {statistics.median(waits):.1f} s (median), {waits[-1]:.1f} s (longest)"
        )


def _states() -> str:
    from django.db.models import Count  # noqa: PLC0415 - needs the settings

    from backoffice.jobs.models import Job  # noqa: PLC0415

    rows = Job.objects.filter(kind="soak.count").order_by().values_list("state")
    return ", ".join(f"{count} {state}" for state, count in rows.annotate(n=Count("pk")))


def _doubled() -> list[tuple[int, int]]:
    from django.db.models import Count  # noqa: PLC0415 - needs the settings

    from tests.soak.models import Effect  # noqa: PLC0415

    groups = Effect.objects.values_list("job_id", "step").annotate(n=Count("pk"))
    return [(job, step) for job, step, _n in groups.filter(n__gt=1)]


def _wrong() -> list[str]:
    """Compare what the jobs did with what they should have done."""
    from django.db.models import Count  # noqa: PLC0415 - needs the settings

    from backoffice.jobs.models import Job, JobLog  # noqa: PLC0415
    from tests.soak.models import Effect, Tally  # noqa: PLC0415

    found = []
    doubled = Effect.objects.values("job_id", "step").annotate(n=Count("pk")).filter(n__gt=1)
    found += [
        f"step {row['step']} of job {row['job_id']} was done {row['n']} times" for row in doubled
    ]
    jobs = Job.objects.filter(kind="soak.count")
    done = set(jobs.filter(state="done").values_list("pk", flat=True))
    counts = dict(Effect.objects.values_list("job_id").annotate(n=Count("pk")))
    found += [
        f"job {key} is done with {counts.get(key)} steps"
        for key in done
        if counts.get(key) != STEPS
    ]
    found += [f"job {job.pk} is {job.state}: {job.message}" for job in jobs.exclude(pk__in=done)]
    ends = dict(JobLog.objects.filter(text="Done.").values_list("job_id").annotate(n=Count("pk")))
    found += [f"job {key} ended {ends.get(key)} times" for key in done if ends.get(key) != 1]
    tally = Tally.objects.get(pk=1).value
    if tally != Effect.objects.count():
        found.append(f"the tally is {tally}, there are {Effect.objects.count()} effects")
    return found


def _fork() -> int:
    """Start a worker; it never returns from here."""
    from django.core.management import call_command  # noqa: PLC0415 - needs the settings
    from django.db import connections  # noqa: PLC0415

    connections.close_all()
    pid = os.fork()
    if pid:
        return pid
    try:
        call_command("worker", interval=0.05)
    finally:
        os._exit(0)


def _end(pid: int) -> None:
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def soak(kills: int, jobs: int, seed: int) -> int:
    """Run on the database of DATABASE_URL; 1 when anything is wrong."""
    import django  # noqa: PLC0415 - the settings are known by now
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    from tests.soak.models import Tally  # noqa: PLC0415

    call_command("migrate", run_syncdb=True, verbosity=0)
    Tally.objects.create(pk=1)
    run, start = Soak(kills, jobs, seed), time.monotonic()
    wrong = run.run()
    print(f"{_vendor()}: {run.told()}; {time.monotonic() - start:.0f} s, seed {seed}", flush=True)
    for line in wrong:
        print(f"  WRONG: {line}")
    return int(bool(wrong))


def _vendor() -> str:
    from django.db import connection  # noqa: PLC0415 - needs the settings

    return connection.vendor


def main() -> int:
    """Run on each database in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=0, help="at least so many")
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--here", action="store_true", help="on DATABASE_URL, in this process")
    given = parser.parse_args()
    if given.here:
        return soak(given.kills, given.jobs, given.seed)
    options = (f"--kills={given.kills}", f"--jobs={given.jobs}", f"--seed={given.seed}")
    names = [name for name in given.databases.split(",") if name]
    return max(run_on(name, __file__, options, "tests.soak.settings") for name in names)


if __name__ == "__main__":
    sys.exit(main())
