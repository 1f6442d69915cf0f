"""Jobs: what runs, waits or failed, whose it is, how long it takes; one page a job, with a bar.

Who has `jobs.view_job` sees all jobs, everybody else their own. Apps link a job to what came of
it with `jobs.admin.link_results("sheets.import", lambda job: url)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.jobs import registry, services
from backoffice.jobs.models import Job, Recurring
from backoffice.policy import may
from backoffice.site import Badge, DialogPage, SitePage, chrome, navigation, staff_site
from backoffice.site.values import BadgeKind

PAGE = 30
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


def running_of(user: Any) -> int:
    """Return how many jobs of `user` wait or run."""
    return Job.objects.filter(owner=user, state__in=[_State.QUEUED, _State.RUNNING]).count()


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as pages and the status address show it; `percent` is None while nobody knows."""

    job: Job

    @property
    def badge(self) -> Badge:
        """The state in a word."""
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
        """How long it has been running, or ran."""
        if self.job.started_at is None:
            return 0
        end = self.job.finished_at or timezone.now()
        return max(0.0, (end - self.job.started_at).total_seconds())

    @property
    def rate(self) -> str:
        """Units a second, while it runs."""
        if self.job.state != _State.RUNNING or self.seconds < 1 or not self.job.done:
            return ""
        return _("%s a second") % number_format(
            round(self.job.done / self.seconds), force_grouping=True
        )

    @property
    def left(self) -> str:
        """The time that is probably left, or that it took."""
        if self.job.finished_at and self.job.started_at:
            return _("took %s") % duration(self.seconds)
        if self.job.state != _State.RUNNING or not self.job.total or not self.job.done:
            return ""
        rest = self.seconds / self.job.done * (self.job.total - self.job.done)
        return _("%s left") % duration(rest)

    @property
    def url(self) -> str:
        """The page of the job."""
        return reverse("admin:job", args=[self.job.public_id])

    @property
    def status_url(self) -> str:
        """The address that tells how far it is, as JSON."""
        return reverse("admin:job_status", args=[self.job.public_id])

    @property
    def cancel_url(self) -> str:
        """The dialog that stops it; "" once it is over."""
        if self.job.finished or self.job.cancel_requested:
            return ""
        return reverse("admin:job_cancel", args=[self.job.public_id])

    @property
    def result_url(self) -> str:
        """Where its result is shown, if an app said so."""
        found = _result_urls.get(self.job.kind)
        return found(self.job) if found else ""

    @property
    def title(self) -> str:
        """What it does."""
        return self.job.title


def duration(seconds: float) -> str:
    """Return "34 s" or "4 min"."""
    if seconds < 1:
        return _("under 1 s")
    if seconds < 90:  # noqa: PLR2004 - a minute and a half still reads well in seconds
        return _("%d s") % round(seconds)
    return _("%d min") % round(seconds / 60)


class JobsPage(SitePage):
    """The list."""

    path, name = "jobs/", "jobs"
    title = gettext_lazy("Jobs")
    subtitle = gettext_lazy(
        "Work that runs behind the pages. The job of a worker that died is taken up again."
    )
    template_name = "jobs/list.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show one tab; one query counts all of them."""
        jobs = visible_to(request.user)
        tab = request.GET.get("tab", "")
        narrowed = {
            "mine": jobs.filter(owner_id=request.user.pk),
            "running": jobs.filter(state__in=[_State.QUEUED, _State.RUNNING]),
            "failed": jobs.filter(state=_State.FAILED),
        }.get(tab, jobs)
        rows = list(narrowed[: PAGE + 1])
        return {
            "tab": tab,
            "tabs": self._tabs(request, jobs),
            "jobs": [JobView(job) for job in rows[:PAGE]],
            "more": len(rows) > PAGE,
            "sees_all": may(request.user, "jobs.view_job", None).allowed,
            "recurring": _recurring(),
        }

    def _tabs(self, request: HttpRequest, jobs: QuerySet[Job]) -> list[tuple[str, str, int]]:
        counts = {
            row["state"]: row["n"]
            for row in jobs.order_by().values("state").annotate(n=Count("pk"))
        }
        active = counts.get(_State.QUEUED, 0) + counts.get(_State.RUNNING, 0)
        mine = jobs.filter(owner_id=request.user.pk).count()
        return [
            ("", _("All"), sum(counts.values())),
            ("mine", _("Mine"), mine),
            ("running", _("Running"), active),
            ("failed", _("Failed"), counts.get(_State.FAILED, 0)),
        ]


def _recurring() -> list[dict[str, Any]]:
    due = dict(Recurring.objects.values_list("name", "next_at"))
    return [
        {"name": repeat.name, "seconds": duration(repeat.seconds), "next": due.get(repeat.name)}
        for repeat in registry.recurring()
    ]


class _OfJob(SitePage):
    """What all pages of one job share."""

    def found(self, request: HttpRequest, key: UUID) -> JobView:
        """Return the job, or 404 when it is not one that the person may see."""
        job = visible_to(request.user).filter(public_id=key).first()
        if job is None:
            raise Http404
        return JobView(job)


class JobPage(_OfJob):
    """One job: how far, how fast, how long; what came of it."""

    path, name = "jobs/<uuid:key>/", "job"
    template_name = "jobs/job.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """The list above."""
        return [(_("Jobs"), reverse("admin:jobs"))]

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the job and the plain facts of its result."""
        view = self.found(request, kwargs["key"])
        facts = [
            (key.replace("_", " "), value)
            for key, value in view.job.result.items()
            if isinstance(value, str | int | float)
        ]
        return {"title": view.title, "view": view, "facts": facts}


class JobStatus(_OfJob):
    """How far a job is, for the script that moves the bar."""

    path, name = "jobs/<uuid:key>/status/", "job_status"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Return state, percent and words as JSON."""
        view = self.found(request, kwargs["key"])
        return JsonResponse(
            {
                "state": view.job.state,
                "percent": view.percent,
                "progress": view.progress,
                "message": view.job.message,
                "rate": view.rate,
                "left": view.left,
                "finished": view.job.finished,
            }
        )


class CancelJob(DialogPage):
    """Ask a job to stop."""

    path, name = "jobs/<uuid:key>/cancel/", "job_cancel"
    title = gettext_lazy("Stop this job")
    submit = gettext_lazy("Stop the job")
    icon, harmful = "stop_circle", True

    def subject(self, request: HttpRequest, **kwargs: Any) -> Job:
        """Return the job that the person may see."""
        job = visible_to(request.user).filter(public_id=kwargs["key"]).first()
        if job is None:
            raise Http404
        return job

    def why_not(self, request: HttpRequest, subject: Job) -> str:
        """Refuse others' jobs without the right, and jobs that are over."""
        own = subject.owner_id == request.user.pk
        if not own and not may(request.user, "jobs.cancel_job", None):
            return _("This is somebody else's job.")
        return _("The job is over.") if subject.finished else ""

    def intro(self, request: HttpRequest, subject: Job) -> str:
        """Say what stopping does."""
        text = _("%s stops at its next safe point. What it has written until then stays.")
        return text % subject.title

    def act(self, request: HttpRequest, subject: Job, form: Any) -> str:
        """Stop it."""
        services.cancel(subject, actor=request.user)  # type: ignore[arg-type]
        return _("The job is asked to stop.")

    def back(self, request: HttpRequest, subject: Job) -> str:
        """The page of the job."""
        return reverse("admin:job", args=[subject.public_id])


def _running_job(site: Any, request: HttpRequest) -> dict[str, Any]:
    """Return the newest job of the person that runs, for the top bar."""
    if site is not staff_site:
        return {}
    jobs = Job.objects.filter(owner_id=request.user.pk, state__in=[_State.QUEUED, _State.RUNNING])
    job = jobs.first()
    return {"running_job": JobView(job) if job else None}


for page in (JobsPage, JobPage, JobStatus, CancelJob):
    staff_site.add_page(page)
chrome.contribute(_running_job)
navigation.add(
    staff_site,
    group=gettext_lazy("My work"),
    groups={
        "ops": gettext_lazy("System"),
        "owner": gettext_lazy("Oversight"),
        "auditor": gettext_lazy("Oversight"),
    },
    label=gettext_lazy("Jobs"),
    icon="settings_suggest",
    url_name="jobs",
    badge=running_of,
    order=810,
)
