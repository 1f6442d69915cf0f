"""Imports of each way, killed (-9) before any of their statements: what is there in the end.

`make soak-killed ROUNDS=20` kills each of them so many times; the suite some of them once.
"""

import os
import random
from dataclasses import dataclass
from typing import Any

import pytest

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.sheets import services
from backoffice.sheets.models import ImportJob, ImportSpan
from orders.models import OrderLine
from sellers.models import Seller
from tests.processes import python
from tests.sheets import made, supplies
from tests.sheets.made import check, line, upload
from tests.sheets.supplies import Ruled, Supply, row

pytestmark = pytest.mark.usefixtures("supply_tables")
ROUNDS = int(os.environ.get("KILLED_ROUNDS") or 0)
SEED = int(os.environ.get("KILLED_SEED", "1"))
ROWS = 1200


@dataclass(frozen=True)
class Case:
    """A way: its format, the model whose rows are counted, and how many statements a run takes."""

    key: str
    model: Any
    most: int
    rows: int = ROWS


CASES = (
    Case("test-supplies", Supply, 60),
    Case("test-ruled", Ruled, 90),
    Case("test-rows", Seller, 700, 150),
    Case("online-retail", OrderLine, 150),
)
MODELS: tuple[Any, ...] = (Supply, Ruled, Seller)


def content(case: Case) -> bytes:
    """Return a file that makes so many rows of the model."""
    numbers = range(1, case.rows + 1)
    if case.key == "online-retail":
        return made.book([line(600_000 + number // 5, 10_000 + number) for number in numbers])
    if case.model is Seller:
        rows = [[f"k-{number}", f"Shop {number}", "active"] for number in numbers]
        return supplies.book(rows, ("code", "name", "status"))
    return supplies.book([row(number) for number in numbers])


def uploaded(case: Case, oli: User, *, whole: bool) -> ImportJob:
    job = upload(content(case), oli)
    ImportJob.objects.filter(pk=job.pk).update(format=case.key, whole=whole)
    job.refresh_from_db()
    return job


def crew(job: ImportJob, *moment: str) -> int:
    """Work on the import's job in a process of its own; return its exit code."""
    job.refresh_from_db()
    assert job.job is not None
    Job.objects.filter(pk=job.job.pk).update(state=Job.State.QUEUED)
    with python("-m", "tests.sheets.crew", str(job.job.pk), *moment) as process:
        return process.wait(timeout=120)


def assert_all_there(case: Case, job: ImportJob) -> None:
    """Every row is there once, with one row of history, in the counters and in the spans."""
    job.refresh_from_db()
    assert job.state == ImportJob.State.DONE, job.message
    mine = case.model.history.filter(history_change_reason=job.change_reason)
    assert case.model.objects.count() == mine.count() == case.rows
    spans = ImportSpan.objects.filter(import_job=job, model=case.model._meta.label)
    assert sum(spans.values_list("rows", flat=True)) == case.rows
    assert all(one["system"] == one["ready"] for one in job.sums)


def picked(few: int) -> list[Any]:
    """Return (case, whole, seed): a few in the suite, all so many times in the soak."""
    every = [(case, whole) for case in CASES for whole in (False, True)]
    chosen = every * ROUNDS if ROUNDS else random.Random(SEED).sample(every, few)
    return [
        pytest.param(case, whole, SEED * 1000 + number, id=f"{case.key}-{whole}-{number}")
        for number, (case, whole) in enumerate(chosen)
    ]


@pytest.mark.parametrize(("case", "whole", "seed"), picked(2))
def test_a_run_killed_anywhere_ends_the_same(
    emptied: None, oli: User, case: Case, seed: int, *, whole: bool
) -> None:
    job = check(uploaded(case, oli, whole=whole))
    services.start(job, actor=oli)
    statement = random.Random(seed).randint(1, case.most)
    killed = crew(job, "anywhere", str(statement))
    assert killed in {-9, 0}, statement
    job.refresh_from_db()
    if killed:
        there = case.model.objects.count()
        assert there in ({0, case.rows} if whole else range(case.rows + 1)), statement
        assert crew(job) == 0
    assert_all_there(case, job)


@pytest.mark.parametrize(("case", "whole", "seed"), picked(1))
def test_a_check_killed_anywhere_ends_the_same(
    emptied: None, oli: User, case: Case, seed: int, *, whole: bool
) -> None:
    job = uploaded(case, oli, whole=whole)
    services.check(job, actor=oli)
    statement = random.Random(seed).randint(1, 40)
    killed = crew(job, "anywhere", str(statement))
    assert killed in {-9, 0}, statement
    assert case.model.objects.count() == 0
    if killed:
        assert crew(job) == 0
    job.refresh_from_db()
    assert job.state == ImportJob.State.CHECKED, job.message
    services.start(job, actor=oli)
    assert crew(job) == 0
    assert_all_there(case, job)
