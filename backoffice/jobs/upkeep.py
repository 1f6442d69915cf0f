"""What the worker does beside its jobs: signs of life, taking up lost jobs, clearing away.

A worker is dead when it gave no sign of life for BACKOFFICE_JOB_LOST_AFTER seconds.
"""

import logging
import socket
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_tasks_db.models import DBTaskResult

from backoffice.jobs import registry
from backoffice.jobs.models import Job, Worker
from backoffice.jobs.run import note, run_job, running_jobs
from backoffice.jobs.services import queue_again

logger = logging.getLogger("backoffice.jobs")
# A job that took down so many workers without getting on is not tried again.
MAX_DEATHS = 5
# Finished tasks tell nothing that the jobs do not.
TASKS_KEPT = timedelta(days=1)
WORKERS_KEPT = timedelta(hours=12)
_BATCH = 500


def lost_after() -> timedelta:
    """Return the time without a sign of life after which a worker is dead."""
    return timedelta(seconds=settings.BACKOFFICE_JOB_LOST_AFTER)


def beat_seconds() -> float:
    """Return the seconds between signs of life: four fit into the time of `lost_after`."""
    return min(2.0, settings.BACKOFFICE_JOB_LOST_AFTER / 4)


def enter(name: str) -> None:
    """Note that the worker `name` begins."""
    now = timezone.now()
    values = {"host": socket.gethostname()[:64], "started_at": now, "seen_at": now}
    Worker.objects.update_or_create(name=name, defaults={**values, "stopped_at": None})


def leave(name: str) -> None:
    """Note that the worker `name` ended as it should."""
    Worker.objects.filter(name=name).update(stopped_at=timezone.now(), job=None)


def beat(name: str = "here") -> None:
    """Note that this worker and its jobs are alive."""
    now = timezone.now()
    jobs = running_jobs()
    for job in jobs:
        Job.objects.filter(pk=job.pk, attempt=job.attempt, state=Job.State.RUNNING).update(
            heartbeat_at=now
        )
    Worker.objects.filter(name=name).update(seen_at=now, job=jobs[0] if jobs else None)


def reap() -> int:
    """Queue the running jobs of dead workers again; return how many."""
    limit = timezone.now() - lost_after()
    lost = Job.objects.filter(state=Job.State.RUNNING, heartbeat_at__lt=limit)
    return sum(_take_up(job) for job in lost)


def _take_up(job: Job) -> int:
    if job.deaths + 1 >= MAX_DEATHS:
        return _give_up(job)
    if not queue_again(job, deaths=job.deaths + 1):
        return 0
    note(job, _("Worker %(worker)s died; the job waits for another one.") % {"worker": job.worker})
    logger.warning("job %s was lost by worker %s and waits again", job.pk, job.worker)
    return 1


def _give_up(job: Job) -> int:
    same = Job.objects.filter(
        pk=job.pk, state=Job.State.RUNNING, attempt=job.attempt, heartbeat_at=job.heartbeat_at
    )
    text = _("Its worker died each time.")
    if not same.update(state=Job.State.FAILED, finished_at=timezone.now(), message=text):
        return 0
    note(job, text)
    return 1


def wake() -> int:
    """Queue the waiting jobs again for which no task lies ready; return how many.

    Their worker took the task and died before it took the job. Where it only was slow, the job
    gets a second task, which finds nothing to do.
    """
    limit = timezone.now() - lost_after()
    waiting = list(Job.objects.filter(state=Job.State.QUEUED, queued_at__lt=limit))
    if not waiting:
        return 0
    ready = DBTaskResult.objects.ready().filter(task_path=run_job.module_path)
    known = {args["args"][0] for args in ready.values_list("args_kwargs", flat=True)}
    return sum(queue_again(job) for job in waiting if job.pk not in known)


def prune() -> dict[str, int]:
    """Delete old finished jobs with their logs, and what tasks and workers left; return counts."""
    now = timezone.now()
    old = now - timedelta(days=settings.BACKOFFICE_JOBS_KEPT_DAYS)
    ended = Job.objects.filter(finished_at__lt=old).exclude(state__in=Job.ACTIVE)
    return {
        "jobs": _delete(ended),
        "tasks": _delete(DBTaskResult.objects.finished().filter(finished_at__lt=now - TASKS_KEPT))
        + _delete(_left_tasks(now)),
        "workers": _delete(Worker.objects.filter(seen_at__lt=now - WORKERS_KEPT)),
    }


def _left_tasks(now: datetime) -> "QuerySet[DBTaskResult[Any, Any]]":
    """Return the tasks that run for nobody: older than any sign of life, their job not running."""
    running = Job.objects.filter(state=Job.State.RUNNING).values_list("pk", flat=True)
    left = DBTaskResult.objects.running().filter(
        task_path=run_job.module_path, started_at__lt=now - max(TASKS_KEPT, lost_after())
    )
    active = set(running)
    ids = [task.pk for task in left if task.args_kwargs["args"][0] not in active]
    return DBTaskResult.objects.filter(pk__in=ids)


def _delete(rows: QuerySet[Any]) -> int:
    """Delete in short transactions, so that nobody waits for the lock of SQLite."""
    count = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        rows.model._default_manager.filter(pk__in=keys).delete()
        count += len(keys)
    return count


registry.every(seconds=3600, name="jobs.prune", label=gettext_lazy("Clear old jobs away"))(prune)
