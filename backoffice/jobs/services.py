"""Starting, stopping and retrying jobs."""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.jobs import registry
from backoffice.jobs.models import Job
from backoffice.jobs.plain import require_plain, without_addresses
from backoffice.jobs.run import note, run_job

logger = logging.getLogger("backoffice.jobs")
STARTED = verbs.register("jobs.started", gettext_lazy("Job started"))
CANCELLED = verbs.register("jobs.cancelled", gettext_lazy("Job asked to stop"))
RETRIED = verbs.register("jobs.retried", gettext_lazy("Job tried again"))
ENDED_BADLY = (Job.State.FAILED, Job.State.CANCELLED)


def start(kind: str, *, actor: User | None, title: str, params: Mapping[str, Any]) -> Job:
    """Queue a job of `kind` and return it; it starts when the running transaction commits.

    Raises LookupError when no handler is registered for `kind`, NotPlainError when `params` hold
    a personal value or a secret: pass keys of rows.
    """
    registry.find(kind)
    require_plain(dict(params), where=f"params of {kind}")
    with transaction.atomic():
        job = Job.objects.create(
            kind=kind, title=without_addresses(title)[:200], owner=actor, params=dict(params)
        )
        record(STARTED, actor=actor, subject=job, context={"kind": kind})
        run_job.enqueue(job.pk)
    return job


def may_cancel(job: Job, user: User) -> bool:
    """Say whether the person may stop this job: their own, or anybody's with the right."""
    return not job.finished and (job.owner_id == user.pk or user.has_perm("jobs.cancel_job"))


def cancel(job: Job, *, actor: User) -> None:
    """Ask a job to stop at its next safe point. Raises PermissionDenied for others' jobs."""
    if job.owner_id != actor.pk and not actor.has_perm("jobs.cancel_job"):
        raise PermissionDenied
    with transaction.atomic():
        waiting = Job.objects.filter(pk=job.pk, state=Job.State.QUEUED)
        if waiting.update(state=Job.State.CANCELLED, finished_at=timezone.now()):
            note(job, _("Stopped before it began."))
        Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(cancel_requested=True)
        record(CANCELLED, actor=actor, subject=job)


def may_retry(job: Job, user: User) -> bool:
    """Say whether the person may try this job again: it ended badly, its kind allows it."""
    mine = job.owner_id == user.pk or user.has_perm("jobs.retry_job")
    return mine and job.state in ENDED_BADLY and registry.may_run_again(job.kind)


def retry(job: Job, *, actor: User) -> None:
    """Queue a job that failed or was cancelled again; it goes on from its checkpoint.

    Raises PermissionDenied for others' jobs without the right, ValidationError when it did not end
    badly or its kind has its own way to begin anew.
    """
    if job.owner_id != actor.pk and not actor.has_perm("jobs.retry_job"):
        raise PermissionDenied
    if not registry.may_run_again(job.kind):
        raise ValidationError(_("Jobs of this kind are begun anew on their own page."))
    with transaction.atomic():
        ended = Job.objects.filter(pk=job.pk, state__in=ENDED_BADLY, attempt=job.attempt)
        if not ended.update(**_queued(), cancel_requested=False, deaths=0, message=""):
            raise ValidationError(_("This job does not wait for another try."))
        note(job, _("Tried again by hand."))
        record(RETRIED, actor=actor, subject=job, context={"kind": job.kind})
        run_job.enqueue(job.pk)


def queue_again(job: Job, **more: Any) -> bool:
    """Queue a running or waiting job anew if nobody touched it since `job` was read."""
    with transaction.atomic():
        same = Job.objects.filter(
            pk=job.pk,
            state=job.state,
            attempt=job.attempt,
            heartbeat_at=job.heartbeat_at,
            queued_at=job.queued_at,
        )
        if not same.update(**_queued(), **more):
            return False
        run_job.enqueue(job.pk)
    return True


def _queued() -> dict[str, Any]:
    return {"state": Job.State.QUEUED, "queued_at": timezone.now(), "finished_at": None}
