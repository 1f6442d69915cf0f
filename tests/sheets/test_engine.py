"""Writing in chunks: killed, taken over, in the way of others."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.sheets import formats, runs, services
from backoffice.sheets.models import ImportJob, ImportProblem
from backoffice.sheets.writing import engine
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return, ReturnLine
from orders.sheets.resources import LineSheet
from sellers.models import Product
from tests.processes import python
from tests.sheets.made import book, bring_in, check, line, upload

MODELS: tuple[Any, ...] = (Customer, Product, Order, OrderLine, Return, ReturnLine, Charge)
WORKER = ("manage.py", "worker")
ROWS = 4_000


def many(count: int) -> bytes:
    """Return a workbook of `count` lines, some of them returns, charges or wrong."""
    rows = []
    for number in range(count):
        values = line(
            600_000 + number // 5, 10_000 + number % 700, 1 + number % 7, customer=1 + number // 50
        )
        if number % 101 == 0:
            values[3] = "three"
        if number % 53 == 0:
            values[1] = "POST"
        rows.append(values)
    rows += [line(f"C{700_000 + n}", 10_000 + n, -1, customer=1) for n in range(100)]
    return book(rows)


def wait_for(condition: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def step_of(job: ImportJob) -> int:
    return ImportJob.objects.values_list("step", flat=True).get(pk=job.pk)


def state_of(job: ImportJob) -> str:
    return ImportJob.objects.values_list("state", flat=True).get(pk=job.pk)


@pytest.mark.django_db(transaction=True)
def test_worker_killed_in_the_middle_changes_nothing_in_the_end(oli: User) -> None:
    job = check(upload(many(ROWS), oli))
    expected = {name: counts["new"] for name, counts in job.summary["datasets"].items()}
    services.start(job, actor=oli)
    with python(*WORKER, BACKOFFICE_JOB_LOST_AFTER="4") as first:
        wait_for(lambda: step_of(job) >= 8)
        first.kill()
        first.wait()
    assert state_of(job) == ImportJob.State.RUNNING
    assert 0 < OrderLine.objects.count() < expected["order_lines"]
    with python(*WORKER, BACKOFFICE_JOB_LOST_AFTER="4"):
        wait_for(lambda: state_of(job) == ImportJob.State.DONE)
    job.refresh_from_db()
    assert {name: counts["created"] for name, counts in job.counters.items()} == expected
    assert job.total("updated") == job.total("unchanged") == job.total("failed") == 0
    assert all(one["system"] == one["ready"] for one in job.sums)
    for model in MODELS:
        assert model.objects.count() == model.history.count()
    assert OrderLine.objects.count() == expected["order_lines"]
    assert job.job is not None
    assert Job.objects.get(pk=job.job.pk).attempt == 2


def writer(job: ImportJob) -> engine.Writer:
    form = formats.get(job.format)
    return engine.Writer(job, form, runs.derive(job, form), actor=job.owner)


def nothing(*_arguments: object) -> None:
    """Stand for progress and fence."""


@pytest.mark.django_db
def test_worker_that_lost_the_import_writes_nothing(oli: User) -> None:
    job = check(upload(book([line()]), oli))
    services.start(job, actor=oli)
    late = writer(ImportJob.objects.get(pk=job.pk))
    ImportJob.objects.filter(pk=job.pk).update(step=1)
    with pytest.raises(engine.TakenOverError):
        late.run(nothing, nothing)
    assert not Customer.objects.exists()
    assert not Product.objects.exists()


@pytest.mark.django_db
def test_chunk_that_fails_leaves_neither_rows_nor_counters(oli: User) -> None:
    job = check(upload(book([line()]), oli))
    services.start(job, actor=oli)
    stopped = writer(ImportJob.objects.get(pk=job.pk))

    def fence() -> None:
        if Customer.objects.exists():
            raise TimeoutError

    with pytest.raises(TimeoutError):
        stopped.run(nothing, fence)
    stored = ImportJob.objects.get(pk=job.pk)
    assert stored.counters["customers"]["created"] == Customer.objects.count() == 1
    assert "products" not in stored.counters
    assert not Product.objects.exists()


class Hasty(LineSheet):
    """A step that does not look what is there, like one that lost a race."""

    def _present(self, all_values: list[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
        return {}


@pytest.mark.django_db
def test_row_that_the_database_refuses_is_a_problem_and_the_rest_comes_in(oli: User) -> None:
    bring_in(book([line()]), oli)
    job = check(upload(book([line(), line(code=10002)]), oli))
    services.start(job, actor=oli)
    once = writer(ImportJob.objects.get(pk=job.pk))
    once.steps = [Hasty() if isinstance(step, LineSheet) else step for step in once.steps]
    once.run(nothing, nothing)
    assert OrderLine.objects.count() == OrderLine.history.count() == 2
    problem = ImportProblem.objects.get(import_job=job, from_run=True)
    assert (problem.code, problem.row, problem.dataset) == ("refused", 2, "order_lines")
    assert once.job.counters["order_lines"] == {
        "created": 1, "updated": 0, "unchanged": 0, "failed": 1,
    }  # fmt: skip


@pytest.mark.django_db
def test_plan_needs_the_same_queries_for_more_rows(
    oli: User, django_assert_num_queries: Any
) -> None:
    job = bring_in(book([line(), line(code=10002), line(600002)]), oli)
    derivation = runs.derive(job, formats.get(job.format))
    step = LineSheet()
    with django_assert_num_queries(4):
        assert step.plan(step.records(derivation)[:1], derivation).unchanged == 1
    with django_assert_num_queries(4):
        assert step.plan(step.records(derivation), derivation).unchanged == 3
