"""Running one job: claim it, call its handler, note how it ended."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.tasks import task
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import context
from backoffice.jobs import registry
from backoffice.jobs.models import Job, JobLog
from backoffice.jobs.plain import NotPlainError, require_plain

logger = logging.getLogger("backoffice.jobs")
# Progress goes to the database at most every so many seconds.
_PROGRESS_SECONDS = 0.4
# On SQLite one connection writes at a time, and who waits looks again every tenth of a second. A
# job whose effects follow one another would keep everybody else out; so it rests (seconds).
_REST_AFTER, _REST = 1.0, 0.12
# Lines of log that a job may write; a handler that logs each row would fill the table.
MAX_LOG_LINES = 1000


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
        self._checkpoint: dict[str, Any] = dict(job.checkpoint)
        self._written = 0.0
        self._held = 0.0
        self._lines = 0

    @property
    def checkpoint(self) -> dict[str, Any]:
        """What the last committed `effect` saved, be it in this try or in one before; a copy."""
        return dict(self._checkpoint)

    @contextmanager
    def effect(self) -> Iterator[dict[str, Any]]:
        """Commit what the block writes together with the checkpoint that it yields, or nothing.

            with run.effect() as checkpoint:
                Invoice.objects.create(number=number)
                checkpoint["next"] = number + 1

        A worker killed at any moment leaves both or neither, and one that lost the job meanwhile
        writes neither: LostError. Effects outside the database (a mail, a payment) need an intent
        of their own. Keep the block short: on SQLite nobody else writes meanwhile.
        """
        saved = dict(self._checkpoint)
        began = time.monotonic()
        with transaction.atomic(durable=True):
            self.fence()
            yield saved
            require_plain(saved, where=f"checkpoint of {self.job.kind}")
            self._update(checkpoint=saved, deaths=0)
        self._checkpoint = saved
        self._let_others_write(time.monotonic() - began)

    def _let_others_write(self, held: float) -> None:
        self._held += held
        if self._held >= _REST_AFTER and connection.vendor == "sqlite":
            self._held = 0.0
            time.sleep(_REST)

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Show `done` of `total`.

        Raises CancelledError when somebody asked to stop, LostError when another worker has it.
        """
        if done < total and time.monotonic() - self._written < _PROGRESS_SECONDS:
            return
        self._written = time.monotonic()
        require_plain(message, where=f"message of {self.job.kind}")
        self._update(done=done, total=total, message=message[:300])
        if Job.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            raise CancelledError

    def log(self, text: str) -> None:
        """Write a line into the job's log; inside `effect` it commits with the effect."""
        require_plain(text, where=f"log of {self.job.kind}")
        self._lines += 1
        if self._lines > MAX_LOG_LINES:
            return
        with transaction.atomic():
            self.fence()
            note(self.job, text)

    def fence(self) -> None:
        """Call inside the transaction of an effect: fails when the job is another worker's."""
        self._update(heartbeat_at=timezone.now())

    def _update(self, **values: object) -> None:
        mine = Job.objects.filter(pk=self.job.pk, attempt=self.job.attempt, state=Job.State.RUNNING)
        if not mine.update(**values):
            raise LostError


def note(job: Job, text: str) -> None:
    """Write a line about a job."""
    JobLog.objects.create(job=job, attempt=job.attempt, text=text[:300])


def claim(job_id: int, worker: str) -> Job | None:
    """Take a waiting job; None when it is not waiting any more."""
    now = timezone.now()
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(pk=job_id, state=Job.State.QUEUED).first()
        if job is None:
            return None
        job.state, job.attempt, job.worker = Job.State.RUNNING, job.attempt + 1, worker
        job.heartbeat_at, job.started_at = now, job.started_at or now
        job.claimed_at, job.done_when_claimed = now, job.done
        job.save()
        note(job, _("Taken up by %(worker)s.") % {"worker": worker})
    return job


@task()
def run_job(job_id: int) -> None:
    """Run the job; never raises, so that no traceback with values lands in the task table.

    What goes wrong outside the handler (the database is away) leaves the job to the reaper.
    """
    try:
        execute(job_id, worker=current_worker())
    except Exception:
        logger.exception("job %s was left", job_id)
    except (SystemExit, KeyboardInterrupt):
        # Told to stop at once. The task table keeps the traceback of what leaves here, so the
        # error that was on its way, with its text, does not.
        raise SystemExit(1) from None


def execute(job_id: int, *, worker: str = "here") -> None:
    """Run the job in this process."""
    job = claim(job_id, worker)
    if job is None:
        return
    _running[worker] = job
    try:
        with context.origin(context.Origin(request_id=f"job-{job.public_id.hex}")):
            _handle(JobRun(job))
    finally:
        _running.pop(worker, None)


def _handle(run: JobRun) -> None:
    try:
        result = registry.find(run.job.kind)(run) or {}
        require_plain(result, where=f"result of {run.job.kind}")
    except CancelledError:
        _end(run, Job.State.CANCELLED, message=_("Stopped on request."))
    except LostError:
        logger.warning("job %s was taken over", run.job.pk)
    except JobError as error:
        _end(run, Job.State.FAILED, message=_said(run, error))
    except Exception:
        logger.exception("job %s failed", run.job.pk)
        _end(run, Job.State.FAILED, message=_quote(run))
    else:
        _end(run, Job.State.DONE, result=result)


def _said(run: JobRun, error: JobError) -> str:
    """Return the text of the error, unless it holds what must not be kept."""
    try:
        require_plain(str(error), where=f"error of {run.job.kind}")
    except NotPlainError:
        return _quote(run)
    return str(error)[:300]


def _quote(run: JobRun) -> str:
    return _("Something went wrong. Quote %(number)s.") % {"number": run.job.public_id}


_ENDS = {
    Job.State.DONE: gettext_lazy("Done."),
    Job.State.FAILED: gettext_lazy("Failed."),
    Job.State.CANCELLED: gettext_lazy("Stopped."),
}


def _end(run: JobRun, state: Job.State, **values: object) -> None:
    try:
        with transaction.atomic():
            run._update(state=state, finished_at=timezone.now(), **values)  # noqa: SLF001 - same module
            note(run.job, str(_ENDS[state]))
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
