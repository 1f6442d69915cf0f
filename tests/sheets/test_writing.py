"""Rows written by the database: killed at any moment, beside others who write, all or nothing."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.sheets import formats, services
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import ImportJob, ImportSpan, Undo
from backoffice.sheets.services import StateError
from backoffice.sheets.writing import staged, wholes
from sellers.models import Seller
from tests.processes import python
from tests.sheets.made import check, run, upload
from tests.sheets.supplies import HEADS, Ruled, Supply, book, row

pytestmark = pytest.mark.usefixtures("supply_tables")
ROWS = 7000


def checked(rows: list[list[Any]], oli: User, **values: Any) -> ImportJob:
    job = upload(book(rows), oli)
    ImportJob.objects.filter(pk=job.pk).update(format="test-supplies", **values)
    job.refresh_from_db()
    return check(job)


def crew(job: ImportJob, *moment: str) -> int:
    """Run the import's job in a process of its own; return its exit code."""
    assert job.job is not None
    Job.objects.filter(pk=job.job.pk).update(state=Job.State.QUEUED)
    with python("-m", "tests.sheets.crew", str(job.job.pk), *moment) as process:
        return process.wait(timeout=120)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_moment_it_ends_the_same(emptied: None, oli: User, moment: str) -> None:
    Supply.objects.create(
        ext_id=5, name="Old", country="KR", status="new", amount=1,
        ordered_at="2020-01-01T00:05:00Z",
    )  # fmt: skip
    job = checked([row(number) for number in range(1, ROWS + 1)], oli)
    services.start(job, actor=oli)
    job.refresh_from_db()
    assert crew(job, moment, "2") == -9
    job.refresh_from_db()
    assert (job.state, job.step) == ("running", {"before": 1, "after": 2}[moment])
    assert 0 < job.offset == Supply.objects.count() < ROWS
    assert crew(job) == 0
    job.refresh_from_db()
    assert job.state == ImportJob.State.DONE, job.message
    assert job.counters["supply"] == {
        "created": ROWS - 1, "updated": 1, "unchanged": 0, "failed": 0,
    }  # fmt: skip
    mine = Supply.history.filter(history_change_reason=job.change_reason)
    assert Supply.objects.count() == mine.count() == ROWS
    spans = ImportSpan.objects.filter(import_job=job)
    assert sum(spans.values_list("rows", flat=True)) == ROWS
    assert job.sums[0]["system"] == ROWS


def test_others_write_while_it_runs(emptied: None, oli: User) -> None:
    job = checked([row(number) for number in range(1, ROWS + 1)], oli)
    services.start(job, actor=oli)
    job.refresh_from_db()
    assert job.job is not None
    written, refused = 0, 0
    with python("-m", "tests.sheets.crew", str(job.job.pk)) as process:
        while process.poll() is None:
            try:
                Seller.objects.create(code=f"w-{written}", name="Written meanwhile")
            except OperationalError:
                refused += 1
            written += 1
            time.sleep(0.01)
    job.refresh_from_db()
    assert (job.state, refused) == (ImportJob.State.DONE, 0)
    assert Seller.objects.filter(code__startswith="w-").count() == written > 5


def test_two_imports_of_the_same_keys_do_not_mix(emptied: None, oli: User) -> None:
    numbers = range(1, ROWS + 1)
    jobs = [checked([row(number, note=note) for number in numbers], oli) for note in "ab"]
    for job in jobs:
        services.start(job, actor=oli)
        job.refresh_from_db()
    keys = [str(job.job.pk) for job in jobs if job.job is not None]
    with (
        python("-m", "tests.sheets.crew", keys[0]) as first,
        python("-m", "tests.sheets.crew", keys[1]) as second,
    ):
        assert (first.wait(timeout=120), second.wait(timeout=120)) == (0, 0)
    assert set(ImportJob.objects.values_list("state", flat=True)) == {"done"}
    assert Supply.objects.values("note").distinct().count() == 1
    reasons = [job.change_reason for job in jobs]
    past = Supply.history.order_by("history_id").values_list("history_change_reason", flat=True)
    turns = [reason for index, reason in enumerate(past) if index in {0, ROWS}]
    assert sorted(turns) == sorted(reasons)
    assert len(past) == 2 * ROWS


@pytest.mark.django_db
def test_a_record_on_which_the_model_stumbles_is_out_alone(oli: User) -> None:
    form = formats.get("test-ruled")
    there = Ruled(ext_id=1, name="Cup", country="KR", status="closed", amount=1)
    there.ordered_at = datetime(2020, 1, 1, tzinfo=UTC)
    history.bulk_create([there], actor=oli, reason="before")
    heads = [name for name in HEADS if name != "amount"]
    rows = [
        [
            value
            for name, value in zip(HEADS, row(1, status="closed"), strict=True)
            if name != "amount"
        ]
    ]
    job = upload(book(rows, tuple(heads)), oli)
    ImportJob.objects.filter(pk=job.pk).update(format=form.key)
    job.refresh_from_db()
    assert check(job).summary["failed"] == 0
    history.delete([there], actor=oli, reason="meanwhile")
    run(job)
    assert (job.state, job.total("failed"), Ruled.objects.count()) == ("done", 1, 0)
    assert [one.code for one in job.problems.filter(severity="failed")] == ["unreadable"]


@pytest.mark.django_db
def test_all_or_nothing_does_not_start_with_a_failed_row(oli: User) -> None:
    job = checked([row(1), row(2, amount="x")], oli, whole=True)
    with pytest.raises(StateError):
        services.start(job, actor=oli)
    with pytest.raises(ReadError, match="1 row"):
        wholes.require_possible(job)
    assert not Supply.objects.exists()


def fail_at(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Let the writing break off in the transaction of a chunk."""
    original = staged.FastWriter._checkpoint

    def checkpoint(self: Any, *args: Any) -> Any:
        if self.job.step == chunk - 1:
            raise ZeroDivisionError
        return original(self, *args)

    monkeypatch.setattr(staged.FastWriter, "_checkpoint", checkpoint)


@pytest.mark.django_db
@pytest.mark.parametrize("short", [True, False])
def test_all_or_nothing_that_breaks_off_leaves_nothing(
    oli: User, monkeypatch: pytest.MonkeyPatch, *, short: bool
) -> None:
    rows = [[f"s-{number}", f"Shop {number}"] for number in range(2500)]
    job = upload(book(rows, heads=("code", "name")), oli)
    ImportJob.objects.filter(pk=job.pk).update(format="test-sellers", whole=True)
    job.refresh_from_db()
    check(job)
    monkeypatch.setattr(wholes, "SHORT", 2.0 if short else 0.0)
    fail_at(monkeypatch, 2)
    run(job)
    mine = Seller.objects.filter(code__startswith="s-")
    undo = Undo.objects.filter(import_job=job).first()
    if short:
        assert (job.state, undo, mine.count()) == (ImportJob.State.FAILED, None, 0)
        assert not ImportSpan.objects.filter(import_job=job).exists()
        return
    assert undo is not None
    assert undo.by_itself
    assert undo.job is not None
    assert 0 < mine.count() < len(rows)
    execute(undo.job.pk)
    job.refresh_from_db()
    assert (job.state, mine.count()) == (ImportJob.State.UNDONE, 0)
