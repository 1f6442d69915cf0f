"""Staged records: what the check kept, by status and page, sealed, and gone when the file goes."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.files.sealing import DamagedError
from backoffice.sheets import services, staging
from backoffice.sheets.models import ImportJob, ImportSpan, StagedPart, Status
from orders.models import Order
from tests.sheets.made import book, bring_in, check, line, run, upload

pytestmark = pytest.mark.django_db
VALUES: list[Any] = [
    "text", "", None, 12, -1.5, True, Decimal("2.50"), date(2011, 7, 1), time(12, 30),
    datetime(2011, 7, 1, 12, tzinfo=UTC), UUID(int=5),
]  # fmt: skip


def part(number: int, statuses: str, **columns: list[Any]) -> staging.Part:
    """Return a part of records whose rows count from 2."""
    first = number * staging.SIZE
    size = len(statuses)
    rows = list(range(first + 2, first + 2 + size))
    pks = [None if letter == "n" else index for index, letter in enumerate(statuses)]
    return staging.Part("things", number, first, ["A"] * size, rows, statuses, pks, columns)


@pytest.fixture
def job(oli: User) -> ImportJob:
    return upload(book([line()]), oli)


def test_values_come_back_as_they_were(job: ImportJob) -> None:
    size = len(VALUES)
    columns = {f"c{index}": [value] * size for index, value in enumerate(VALUES)}
    staging.put(job, part(0, "n" * size, mixed=list(VALUES), **columns))
    found = staging.page(job, "things", [Status.NEW], 0, size)
    assert [one.values["mixed"] for one in found] == VALUES
    for index, value in enumerate(VALUES):
        read = found[0].values[f"c{index}"]
        assert (read, type(read)) == (value, type(value))


def test_page_takes_statuses_over_parts(job: ImportJob) -> None:
    staging.put(job, part(0, "ncunc", name=list("abcde")))
    staging.put(job, part(1, "uuu", name=list("fgh")))
    staging.put(job, part(2, "cf", name=list("ij")))
    totals = staging.totals(job)["things"]
    assert (totals[Status.NEW], totals[Status.UNCHANGED]) == (2, 4)
    changed = staging.page(job, "things", [Status.CHANGED], 1, 5)
    assert [one.values["name"] for one in changed] == ["e", "i"]
    assert [(one.row, one.pk, one.number) for one in changed] == [(6, 4, 4), (4002, 0, 4000)]
    both = staging.page(job, "things", [Status.NEW, Status.FAILED], 1, 2)
    assert [(one.values["name"], one.status) for one in both] == [
        ("d", Status.NEW), ("j", Status.FAILED),
    ]  # fmt: skip
    assert staging.page(job, "things", [Status.SKIPPED], 0, 5) == []


def test_body_is_sealed_for_its_file_and_place(job: ImportJob, oli: User) -> None:
    staging.put(job, part(0, "n", name=["Ada Lovelace"]))
    stored = StagedPart.objects.get(import_job=job)
    assert b"Lovelace" not in bytes(stored.body)
    other = upload(book([line()]), oli)
    StagedPart.objects.filter(pk=stored.pk).update(import_job=other)
    with pytest.raises(DamagedError):
        staging.load(other, "things", 0)
    StagedPart.objects.filter(pk=stored.pk).update(import_job=job, number=1)
    with pytest.raises(DamagedError):
        staging.load(job, "things", 1)


def test_check_stages_new_changed_and_failed_records(oli: User) -> None:
    job = check(upload(book([line(), line(600002, country="Spain")]), oli))
    orders = staging.page(job, "orders", list(Status), 0, 10)
    assert [(one.status, one.pk, one.values["number"]) for one in orders] == [
        (Status.NEW, None, "600001"), (Status.NEW, None, "600002"),
    ]  # fmt: skip
    assert staging.totals(job)["order_lines"][Status.NEW] == 2
    run(job)
    again = check(upload(book([line(), line(600003)]), oli))
    assert staging.totals(again)["orders"][Status.UNCHANGED] == 1
    known = staging.page(again, "orders", [Status.UNCHANGED], 0, 10)
    assert [one.pk for one in known] == [Order.objects.get(number="600001").pk]


def test_record_that_the_model_refuses_is_a_problem_of_the_check(oli: User) -> None:
    bring_in(book([line(600001, customer=1)]), oli)
    job = check(upload(book([line(600001, customer=2), line(600002, customer=2)]), oli))
    assert staging.totals(job)["orders"][Status.FAILED] == 1
    problem = job.problems.get(dataset="orders")
    assert (problem.code, problem.from_run) == ("other-customer-stored", False)
    run(job)
    assert job.counters["orders"]["failed"] == 1
    assert job.problems.filter(dataset="orders").count() == 1


def test_what_is_staged_goes_with_a_new_check_and_with_the_file(oli: User) -> None:
    job = check(upload(book([line()]), oli))
    before = set(job.parts.values_list("pk", flat=True))
    check(job)
    assert before.isdisjoint(job.parts.values_list("pk", flat=True))
    old = timezone.now() - services.KEEP_UNUSED - timedelta(hours=1)
    ImportJob.objects.filter(pk=job.pk).update(created_at=old)
    services.forget()
    assert not StagedPart.objects.filter(import_job=job).exists()


def test_spans_name_the_history_of_each_chunk(oli: User) -> None:
    bring_in(book([line(599999)]), oli)
    job = bring_in(book([line(600001), line(600002)]), oli)
    span = ImportSpan.objects.get(import_job=job, model="orders.Order", dataset="orders")
    mine = Order.history.filter(history_change_reason=job.change_reason)
    inside = mine.filter(history_id__gte=span.first, history_id__lte=span.last)
    assert span.rows == inside.count() == 2
    every = sum(ImportSpan.objects.filter(import_job=job).values_list("rows", flat=True))
    assert every == job.total("created") + job.total("updated")


@pytest.mark.parametrize(("mode", "code"), [("create", ""), ("update", "absent")])
def test_mode_leaves_out_with_a_problem(oli: User, mode: str, code: str) -> None:
    job = upload(book([line()]), oli)
    ImportJob.objects.filter(pk=job.pk).update(mode=mode)
    job.refresh_from_db()
    run(check(job))
    assert Order.objects.exists() == (mode == "create")
    found = job.problems.filter(dataset="customers").values_list("code", flat=True)
    assert list(found) == ([code] if code else [])
