"""Jobs that start by the clock: one start a time, whoever looks."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from backoffice.jobs import cron, registry, schedule
from backoffice.jobs.checks import check_schedule
from backoffice.jobs.models import Job, Recurring

KIND = "tests.nightly"
ENTRY = {"kind": KIND, "cron": "0 3 * * *", "params": {"days": 2}}


@pytest.fixture(autouse=True)
def _scheduled(db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(registry, "_recurring", {})
    monkeypatch.setitem(registry._handlers, KIND, lambda _run: {})
    settings.BACKOFFICE_SCHEDULE = {"nightly": ENTRY}


def let_it_be_time() -> None:
    Recurring.objects.update(next_at=timezone.now() - timedelta(seconds=1))


def test_new_entry_waits_for_its_time() -> None:
    schedule.run_due()
    assert not Job.objects.exists()
    row = Recurring.objects.get()
    assert timezone.localtime(row.next_at).strftime("%H:%M") == "03:00"
    assert row.next_at > timezone.now()


def test_job_starts_once_a_time() -> None:
    schedule.run_due()
    let_it_be_time()
    schedule.run_due()
    schedule.run_due()
    job = Job.objects.get()
    assert (job.kind, job.title, job.params, job.owner) == (KIND, "nightly", {"days": 2}, None)


def test_two_workers_that_read_the_same_row_start_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule.run_due()
    let_it_be_time()
    entry, row = schedule.entries()[0], Recurring.objects.get()
    stale: Callable[..., Recurring] = lambda *_: row  # noqa: E731 - both hold what they read
    monkeypatch.setattr(schedule, "_row", stale)
    schedule._start(entry)
    schedule._start(entry)
    assert Job.objects.count() == 1


def test_turn_is_not_lost_when_the_start_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule.run_due()
    let_it_be_time()
    handlers = dict(registry._handlers)
    monkeypatch.setattr(registry, "_handlers", {})
    schedule.run_due()
    assert not Job.objects.exists()
    monkeypatch.setattr(registry, "_handlers", handlers)
    schedule.run_due()
    assert Job.objects.count() == 1


def test_changed_schedule_is_computed_anew(settings: Settings) -> None:
    schedule.run_due()
    settings.BACKOFFICE_SCHEDULE = {"nightly": {**ENTRY, "cron": "30 4 * * *"}}
    schedule.run_due()
    row = Recurring.objects.get()
    assert timezone.localtime(row.next_at).strftime("%H:%M") == "04:30"


def test_time_missed_for_long_is_made_up_for_once() -> None:
    schedule.run_due()
    Recurring.objects.update(next_at=timezone.now() - timedelta(days=9))
    schedule.run_due()
    schedule.run_due()
    assert Job.objects.count() == 1


def test_good_schedule_passes_the_check() -> None:
    assert check_schedule() == []


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": KIND},
        {**ENTRY, "cron": "99 * * * *"},
        {**ENTRY, "kind": "tests.nobody"},
        {**ENTRY, "params": {"password": "x"}},
        {**ENTRY, "more": 1},
        "0 3 * * *",
    ],
)
def test_wrong_entry_is_named(entry: object, settings: Settings) -> None:
    settings.BACKOFFICE_SCHEDULE = {"broken": entry}
    (error,) = check_schedule()
    assert (error.id, "broken" in error.msg) == ("jobs.E001", True)


def test_failing_entry_does_not_keep_the_others(settings: Settings) -> None:
    settings.BACKOFFICE_SCHEDULE = {"bad": {**ENTRY, "cron": "x"}, "nightly": ENTRY}
    with pytest.raises(cron.CronError):
        schedule.entries()[0].next_after(timezone.now())
    schedule.run_due()
    assert Recurring.objects.filter(name="schedule: nightly").exists()


def test_what_is_not_due_costs_one_read(
    django_assert_num_queries: DjangoAssertNumQueries, settings: Settings
) -> None:
    settings.BACKOFFICE_SCHEDULE = {}
    calls: list[int] = []
    for name in ("tests.one", "tests.two"):
        registry.every(seconds=60, name=name)(lambda: calls.append(1))
    schedule.run_due()
    with django_assert_num_queries(1):
        schedule.run_due()
    let_it_be_time()
    schedule.run_due()
    assert len(calls) == 4
