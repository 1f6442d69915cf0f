from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs import registry, run, schedule, services, upkeep
from backoffice.jobs.models import Job, Recurring

KIND = "tests.count"
Handler = Callable[[run.JobRun], dict[str, object]]


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], None]:
    def set_handler(function: Handler) -> None:
        monkeypatch.setitem(registry._handlers, KIND, function)

    set_handler(lambda _run: {})
    return set_handler


@pytest.fixture
def job(oli: User, handle: Callable[[Handler], None]) -> Job:
    return services.start(KIND, actor=oli, title="Count", params={"to": 3})


def _run(job: Job) -> Job:
    run.execute(job.pk)
    return Job.objects.get(pk=job.pk)


def test_start_queues_a_task_and_records_it(job: Job, oli: User) -> None:
    assert (job.state, DBTaskResult.objects.count()) == ("queued", 1)
    event = Event.objects.get(verb="jobs.started")
    assert (event.actor, event.subject_id) == (oli, str(job.pk))


def test_start_of_an_unknown_kind_is_refused(oli: User) -> None:
    with pytest.raises(LookupError):
        services.start("tests.nobody", actor=oli, title="x", params={})
    assert not Job.objects.exists()


def test_job_ends_with_result_and_progress(job: Job, handle: Callable[[Handler], None]) -> None:
    def count(job_run: run.JobRun) -> dict[str, object]:
        job_run.progress(3, 3, "all")
        return {"counted": job_run.params["to"]}

    handle(count)
    ended = _run(job)
    assert (ended.state, ended.result) == ("done", {"counted": 3})
    assert (ended.done, ended.total, ended.message) == (3, 3, "all")
    assert ended.finished_at is not None


def test_job_is_run_once_when_its_task_comes_twice(
    job: Job, handle: Callable[[Handler], None]
) -> None:
    calls: list[int] = []

    def count(job_run: run.JobRun) -> dict[str, object]:
        calls.append(job_run.job.attempt)
        return {}

    handle(count)
    _run(job)
    _run(job)
    assert calls == [1]


def test_job_error_is_shown_to_its_owner(job: Job, handle: Callable[[Handler], None]) -> None:
    def fail(job_run: run.JobRun) -> dict[str, object]:
        raise run.JobError("The file is damaged.")

    handle(fail)
    assert (_run(job).state, _run(job).message) == ("failed", "The file is damaged.")


def test_unforeseen_error_shows_a_number_and_no_text(
    job: Job, handle: Callable[[Handler], None]
) -> None:
    def fail(job_run: run.JobRun) -> dict[str, object]:
        raise ValueError("ann@example.com")

    handle(fail)
    ended = _run(job)
    assert ended.state == "failed"
    assert str(job.public_id) in ended.message
    assert "ann@example.com" not in ended.message


def test_cancel_stops_at_the_next_progress(
    job: Job, oli: User, handle: Callable[[Handler], None]
) -> None:
    def long(job_run: run.JobRun) -> dict[str, object]:
        services.cancel(job_run.job, actor=oli)
        job_run.progress(1, 1)
        return {"reached": True}

    handle(long)
    ended = _run(job)
    assert (ended.state, ended.result) == ("cancelled", {})


def test_cancel_of_a_strangers_job_is_refused(job: Job, ann: User) -> None:
    with pytest.raises(PermissionDenied):
        services.cancel(job, actor=ann)


def test_reap_queues_a_lost_job_again_once(job: Job) -> None:
    run.claim(job.pk, "dead")
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert (upkeep.reap(), upkeep.reap()) == (1, 0)
    job.refresh_from_db()
    assert (job.state, DBTaskResult.objects.count()) == ("queued", 2)
    assert _run(job).attempt == 2


def test_reap_leaves_a_living_job_alone(job: Job) -> None:
    run.claim(job.pk, "alive")
    assert upkeep.reap() == 0


def test_reap_gives_up_after_several_deaths(job: Job) -> None:
    run.claim(job.pk, "dead")
    Job.objects.update(
        heartbeat_at=timezone.now() - timedelta(minutes=5), deaths=upkeep.MAX_DEATHS - 1
    )
    upkeep.reap()
    job.refresh_from_db()
    assert job.state == "failed"


def test_worker_that_lost_its_job_cannot_write_any_more(job: Job) -> None:
    claimed = run.claim(job.pk, "slow")
    assert claimed is not None
    stale = run.JobRun(claimed)
    Job.objects.update(state="queued")
    run.claim(job.pk, "other")
    with pytest.raises(run.LostError):
        stale.fence()
    with pytest.raises(run.LostError):
        stale.progress(1, 1)


def test_recurring_function_runs_when_due_and_not_before(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    repeat = registry.Repeat("tests.tick", 60, lambda: calls.append(1))
    monkeypatch.setattr(registry, "_recurring", {"tests.tick": repeat})
    schedule.run_due()
    schedule.run_due()
    assert calls == [1]
    Recurring.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    schedule.run_due()
    assert calls == [1, 1]


def test_failing_recurring_function_does_not_stop_the_others(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fail() -> None:
        raise RuntimeError

    repeats = {
        "a": registry.Repeat("a", 60, fail),
        "b": registry.Repeat("b", 60, lambda: calls.append(1)),
    }
    monkeypatch.setattr(registry, "_recurring", repeats)
    schedule.run_due()
    assert calls == [1]
