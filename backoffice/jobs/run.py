"""Running one job: claim it, call its handler, note how it ended."""

import logging
import time
from typing import Any

from django.db import transaction
from django.tasks import task
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.audit import context
from backoffice.jobs import registry
from backoffice.jobs.models import Job

logger = logging.getLogger("backoffice.jobs")
# Progress goes to the database at most every so many seconds.
_PROGRESS_SECONDS = 0.4


class JobError(Exception):
    """The job cannot go on; the text is for its owner and holds no personal value."""


class CancelledError(Exception):
    """The job was asked to stop."""


class LostError(Exception):
    """Another worker took the job over; this one must not write any more."""


class JobRun:
    """One try at a job, in the hands of its handler."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.params: dict[str, Any] = job.params
        self._written = 0.0

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Show `done` of `total`.

        Raises CancelledError when somebody asked to stop, LostError when another worker has it.
        """
        if done < total and time.monotonic() - self._written < _PROGRESS_SECONDS:
            return
        self._written = time.monotonic()
        self._update(done=done, total=total, message=message[:300])
        if Job.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            raise CancelledError

    def fence(self) -> None:
        """Call inside the transaction of an effect: fails when the job is another worker's."""
        self._update(heartbeat_at=timezone.now())

    def _update(self, **values: object) -> None:
        mine = Job.objects.filter(pk=self.job.pk, attempt=self.job.attempt, state=Job.State.RUNNING)
        if not mine.update(**values):
            raise LostError


def claim(job_id: int, worker: str) -> Job | None:
    """Take a waiting job; None when it is not waiting any more."""
    now = timezone.now()
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(pk=job_id, state=Job.State.QUEUED).first()
        if job is None:
            return None
        job.state, job.attempt, job.worker = Job.State.RUNNING, job.attempt + 1, worker
        job.heartbeat_at, job.started_at = now, job.started_at or now
        job.save()
    return job


@task()
def run_job(job_id: int) -> None:
    """Run the job; never raises, so that no traceback with values lands in the task table."""
    execute(job_id, worker=current_worker())


def execute(job_id: int, *, worker: str = "here") -> None:
    """Run the job in this process."""
    job = claim(job_id, worker)
    if job is None:
        return
    _running[worker] = job
    run = JobRun(job)
    try:
        with context.origin(context.Origin(request_id=f"job-{job.public_id.hex}")):
            result = registry.find(job.kind)(run)
    except CancelledError:
        _end(run, Job.State.CANCELLED, message=_("Stopped on request."))
    except LostError:
        logger.warning("job %s was taken over", job.pk)
    except JobError as error:
        _end(run, Job.State.FAILED, message=str(error))
    except Exception:
        logger.exception("job %s failed", job.pk)
        text = _("Something went wrong. Quote %(number)s.") % {"number": job.public_id}
        _end(run, Job.State.FAILED, message=text)
    else:
        _end(run, Job.State.DONE, result=result or {})
    finally:
        _running.pop(worker, None)


def _end(run: JobRun, state: str, **values: object) -> None:
    try:
        run._update(state=state, finished_at=timezone.now(), **values)  # noqa: SLF001 - same module
    except LostError:
        logger.warning("job %s was taken over", run.job.pk)


_worker_name = "here"
_running: dict[str, Job] = {}


def current_worker() -> str:
    """Return the name of the worker that this process is."""
    return _worker_name


def name_worker(name: str) -> None:
    """Set the name of the worker that this process is."""
    global _worker_name  # noqa: PLW0603 - one name a process
    _worker_name = name


def running_jobs() -> list[Job]:
    """Return the jobs that run in this process now."""
    return list(_running.values())
