"""A job, a worker and a recurring call as pages show them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from backoffice.jobs import registry, schedule, services, upkeep
from backoffice.jobs.models import Job, Recurring, Worker
from backoffice.policy import may
from backoffice.site import Badge
from backoffice.site.values import BadgeKind

_State = Job.State
_KINDS: dict[str, BadgeKind] = {
    _State.QUEUED: "wait",
    _State.RUNNING: "move",
    _State.DONE: "quiet",
    _State.FAILED: "fail",
    _State.CANCELLED: "rest",
}
_result_urls: dict[str, Callable[[Job], str]] = {}


def link_results(kind: str, url: Callable[[Job], str]) -> None:
    """Let `url(job)` say where the result of a job of `kind` is shown ("" for nowhere)."""
    _result_urls[kind] = url


def visible_to(user: Any) -> QuerySet[Job]:
    """Return the jobs that `user` may see, newest first."""
    jobs = Job.objects.select_related("owner")
    return jobs if may(user, "jobs.view_job", None) else jobs.filter(owner=user)


def duration(seconds: float) -> str:
    """Return "34 s" or "4 min"."""
    if seconds < 1:
        return _("under 1 s")
    if seconds < 90:  # noqa: PLR2004 - a minute and a half still reads well in seconds
        return _("%d s") % round(seconds)
    return _("%d min") % round(seconds / 60)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as `viewer` sees it; `percent` is None while nobody knows."""

    job: Job
    viewer: Any = None

    @property
    def badge(self) -> Badge:
        """The state in a word."""
        if self.job.state == _State.RUNNING and self.job.cancel_requested:
            return Badge("move", _("Stopping"))
        return Badge(_KINDS[self.job.state], self.job.get_state_display())

    @property
    def percent(self) -> int | None:
        """Whole percent done."""
        if self.job.state == _State.DONE:
            return 100
        return min(100, self.job.done * 100 // self.job.total) if self.job.total else None

    @property
    def progress(self) -> str:
        """How many of how many ("1,204 of 1,942"), or how many so far."""
        done = number_format(self.job.done, use_l10n=True, force_grouping=True)
        if not self.job.total:
            return done if self.job.done else ""
        total = number_format(self.job.total, use_l10n=True, force_grouping=True)
        return _("%(done)s of %(total)s") % {"done": done, "total": total}

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran, from its first try on."""
        if self.job.started_at is None:
            return 0
        end = self.job.finished_at or timezone.now()
        return max(0.0, (end - self.job.started_at).total_seconds())

    @property
    def speed(self) -> float:
        """Units a second of this try; what a try before it did and the time between do not count.

        0 while nobody knows.
        """
        began = self.job.claimed_at or self.job.started_at
        if self.job.state != _State.RUNNING or began is None:
            return 0
        seconds = (timezone.now() - began).total_seconds()
        # A handler without a checkpoint begins at 0 again.
        before = self.job.done_when_claimed if self.job.done >= self.job.done_when_claimed else 0
        return (self.job.done - before) / seconds if seconds >= 1 else 0

    @property
    def rate(self) -> str:
        """Units a second, while it runs."""
        if not self.speed:
            return ""
        digits = 0 if self.speed >= 10 else 1  # noqa: PLR2004 - below ten a digit tells something
        speed = round(self.speed, digits)
        text = number_format(speed, decimal_pos=digits, force_grouping=True)
        return _("%s a second") % text

    @property
    def left(self) -> str:
        """The time that is probably left, or that it took."""
        if self.job.finished_at and self.job.started_at:
            return _("took %s") % duration(self.seconds)
        if not self.speed or not self.job.total:
            return ""
        return _("%s left") % duration(max(0, self.job.total - self.job.done) / self.speed)

    @property
    def url(self) -> str:
        """The page of the job."""
        return self._at("job")

    @property
    def status_url(self) -> str:
        """The address that tells how far it is, as JSON."""
        return self._at("job_status")

    @property
    def cancel_url(self) -> str:
        """The dialog that stops it; "" once it is over, and for whom it is not."""
        may_stop = self.viewer is not None and services.may_cancel(self.job, self.viewer)
        return self._at("job_cancel") if may_stop and not self.job.cancel_requested else ""

    @property
    def retry_url(self) -> str:
        """The dialog that tries it again; "" where that cannot be."""
        may_retry = self.viewer is not None and services.may_retry(self.job, self.viewer)
        return self._at("job_retry") if may_retry else ""

    @property
    def result_url(self) -> str:
        """Where its result is shown, if an app said so."""
        found = _result_urls.get(self.job.kind)
        return found(self.job) if found else ""

    @property
    def title(self) -> str:
        """What it does."""
        return self.job.title

    def _at(self, name: str) -> str:
        return reverse(f"admin:{name}", args=[self.job.public_id])


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker: what it does, when it was heard last."""

    worker: Worker

    @property
    def badge(self) -> Badge:
        """Busy, free, stopped, or gone without a word."""
        if self.worker.stopped_at is not None:
            return Badge("rest", _("Stopped"))
        if timezone.now() - self.worker.seen_at > upkeep.lost_after():
            return Badge("fail", _("Gone"))
        return Badge("move", _("Busy")) if self.worker.job else Badge("quiet", _("Free"))

    @property
    def text(self) -> str:
        """Its job, and how long ago it was heard."""
        ago = duration((timezone.now() - self.worker.seen_at).total_seconds())
        heard = _("last heard %s ago") % ago
        return f"{self.worker.job}, {heard}" if self.worker.job else heard


def workers() -> list[WorkerView]:
    """Return the workers, those that were heard last first."""
    rows = Worker.objects.select_related("job").order_by("stopped_at", "-seen_at", "-id")
    living = sorted(rows[:WORKERS_SHOWN], key=lambda row: row.stopped_at is not None)
    return [WorkerView(row) for row in living]


WORKERS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RecurringView:
    """What runs by itself: `every` in words or as a schedule, `next` None before the first time."""

    name: str
    every: str
    next: datetime | None


def recurring() -> list[RecurringView]:
    """Return what runs by itself: by the clock first, then every so many seconds."""
    due = dict(Recurring.objects.values_list("name", "next_at"))
    by_clock = [
        RecurringView(one.name, one.spec, due.get(one.row_name)) for one in schedule.entries()
    ]
    often = [
        RecurringView(str(one.label or one.name), duration(one.seconds), due.get(one.name))
        for one in registry.recurring()
    ]
    return by_clock + often
