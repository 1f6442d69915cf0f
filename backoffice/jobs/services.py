"""Starting, stopping and taking up jobs; recurring functions."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.jobs import registry
from backoffice.jobs.models import Job, Recurring
from backoffice.jobs.run import run_job, running_jobs

logger = logging.getLogger("backoffice.jobs")
STARTED = verbs.register("jobs.started", gettext_lazy("Job started"))
CANCELLED = verbs.register("jobs.cancelled", gettext_lazy("Job asked to stop"))
# A job that took down so many workers is not tried again.
MAX_ATTEMPTS = 5


def start(kind: str, *, actor: User | None, title: str, params: Mapping[str, Any]) -> Job:
    """Queue a job of `kind` and return it; it starts when the running transaction commits.

    Raises LookupError when no handler is registered for `kind`.
    """
    registry.find(kind)
    with transaction.atomic():
        job = Job.objects.create(kind=kind, title=title[:200], owner=actor, params=dict(params))
        record(STARTED, actor=actor, subject=job, context={"kind": kind})
        run_job.enqueue(job.pk)
    return job


def cancel(job: Job, *, actor: User) -> None:
    """Ask a job to stop at its next safe point. Raises PermissionDenied for others' jobs."""
    if job.owner_id != actor.pk and not actor.has_perm("jobs.cancel_job"):
        raise PermissionDenied
    with transaction.atomic():
        now = timezone.now()
        Job.objects.filter(pk=job.pk, state=Job.State.QUEUED).update(
            state=Job.State.CANCELLED, finished_at=now
        )
        Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(cancel_requested=True)
        record(CANCELLED, actor=actor, subject=job)


def beat() -> None:
    """Note that the jobs of this process are alive."""
    for job in running_jobs():
        Job.objects.filter(pk=job.pk, attempt=job.attempt, state=Job.State.RUNNING).update(
            heartbeat_at=timezone.now()
        )


def reap() -> int:
    """Queue again the running jobs whose worker died; return how many.

    A worker is dead when it gave no sign of life for BACKOFFICE_JOB_LOST_AFTER seconds.
    """
    limit = timezone.now() - timedelta(seconds=settings.BACKOFFICE_JOB_LOST_AFTER)
    lost = Job.objects.filter(state=Job.State.RUNNING, heartbeat_at__lt=limit)
    return sum(_take_up(job) for job in lost)


def _take_up(job: Job) -> int:
    with transaction.atomic():
        same = Job.objects.filter(
            pk=job.pk, state=Job.State.RUNNING, attempt=job.attempt, heartbeat_at=job.heartbeat_at
        )
        if job.attempt >= MAX_ATTEMPTS:
            return same.update(
                state=Job.State.FAILED,
                finished_at=timezone.now(),
                message=_("Its worker died each time."),
            )
        if not same.update(state=Job.State.QUEUED):
            return 0
        run_job.enqueue(job.pk)
    logger.warning("job %s was lost by worker %s and waits again", job.pk, job.worker)
    return 1


def run_due() -> None:
    """Call the recurring functions that are due; each in one worker only."""
    now = timezone.now()
    for repeat in registry.recurring():
        Recurring.objects.get_or_create(name=repeat.name, defaults={"next_at": now})
        due = Recurring.objects.filter(name=repeat.name, next_at__lte=now)
        if not due.update(next_at=now + timedelta(seconds=repeat.seconds)):
            continue
        try:
            repeat.function()
        except Exception:
            logger.exception("recurring function %s failed", repeat.name)
