"""Workers' signs of life, jobs whose worker died at odd moments, and clearing away."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from backoffice.accounts.models import User
from backoffice.jobs import registry, run, services, upkeep
from backoffice.jobs.models import Job, JobLog, Worker

KIND = "tests.count"
LONG_AGO = timedelta(days=400)


@pytest.fixture
def job(oli: User, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setitem(registry._handlers, KIND, lambda _run: {})
    return services.start(KIND, actor=oli, title="Count", params={})


def age(job: Job, **times: timedelta) -> None:
    values = {name: timezone.now() - span for name, span in times.items()}
    Job.objects.filter(pk=job.pk).update(**values)


def test_waiting_job_whose_worker_died_before_taking_it_waits_again(job: Job) -> None:
    DBTaskResult.objects.update(status="RUNNING", started_at=timezone.now())
    age(job, queued_at=timedelta(minutes=5))
    assert (upkeep.wake(), upkeep.wake()) == (1, 0)
    assert DBTaskResult.objects.ready().count() == 1


def test_waiting_job_with_a_ready_task_is_left_alone(job: Job) -> None:
    age(job, queued_at=timedelta(minutes=5))
    assert upkeep.wake() == 0


def test_job_just_queued_is_left_alone(job: Job) -> None:
    DBTaskResult.objects.update(status="RUNNING", started_at=timezone.now())
    assert upkeep.wake() == 0


def test_job_that_gets_on_between_deaths_is_not_given_up(job: Job) -> None:
    for number in range(2 * upkeep.MAX_DEATHS):
        claimed = run.claim(job.pk, "dies")
        assert claimed is not None
        with run.JobRun(claimed).effect() as checkpoint:
            checkpoint["next"] = number
        age(job, heartbeat_at=timedelta(minutes=5))
        assert upkeep.reap() == 1
    job.refresh_from_db()
    assert (job.state, job.checkpoint) == ("queued", {"next": 2 * upkeep.MAX_DEATHS - 1})


def test_job_that_only_kills_is_given_up(job: Job) -> None:
    for _ in range(upkeep.MAX_DEATHS):
        run.claim(job.pk, "dies")
        age(job, heartbeat_at=timedelta(minutes=5))
        upkeep.reap()
    job.refresh_from_db()
    assert (job.state, job.deaths) == ("failed", upkeep.MAX_DEATHS - 1)


def test_reaper_and_living_worker_do_not_both_win(job: Job) -> None:
    claimed = run.claim(job.pk, "slow")
    assert claimed is not None
    age(job, heartbeat_at=timedelta(minutes=5))
    seen = Job.objects.get()
    run.JobRun(claimed).fence()
    assert not services.queue_again(seen)


def test_worker_shows_what_it_does(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    upkeep.enter("one")
    monkeypatch.setitem(run._running, "one", job)
    upkeep.beat("one")
    assert Worker.objects.get().job == job
    upkeep.leave("one")
    worker = Worker.objects.get()
    assert worker.job is None
    assert worker.stopped_at is not None


def test_prune_takes_old_ends_and_leaves_the_rest(job: Job, oli: User) -> None:
    old = Job.objects.create(
        kind=KIND, title="old", state="done", finished_at=timezone.now() - LONG_AGO
    )
    JobLog.objects.create(job=old, attempt=1, text="x")
    waiting = Job.objects.create(
        kind=KIND, title="waits", finished_at=timezone.now() - LONG_AGO, owner=oli
    )
    gone = timezone.now() - LONG_AGO
    ended = DBTaskResult.objects.create(
        status="SUCCESSFUL", finished_at=gone, args_kwargs={}, task_path="x", run_after=gone
    )
    Worker.objects.create(name="gone", host="h", seen_at=gone)
    assert upkeep.prune() == {"jobs": 1, "tasks": 1, "workers": 1}
    assert set(Job.objects.all()) == {job, waiting}
    assert not DBTaskResult.objects.filter(pk=ended.pk).exists()


def test_prune_takes_tasks_that_a_dead_worker_left_running(job: Job) -> None:
    DBTaskResult.objects.update(status="RUNNING", started_at=timezone.now() - LONG_AGO)
    Job.objects.update(state="running")
    assert upkeep.prune()["tasks"] == 0
    Job.objects.update(state="done")
    assert upkeep.prune()["tasks"] == 1
