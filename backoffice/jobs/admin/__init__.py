"""Jobs: what runs, waits or failed, whose it is, how long it takes; one page a job, with a bar.

Who has `jobs.view_job` sees all jobs, everybody else their own. Apps link a job to what came of
it with `jobs.admin.link_results("sheets.import", lambda job: url)`.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.jobs import registry, services
from backoffice.jobs.admin.views import JobView, link_results, recurring, visible_to, workers
from backoffice.jobs.models import Job
from backoffice.policy import may
from backoffice.site import DialogPage, SitePage, chrome, navigation, staff_site

__all__ = ["JobView", "link_results", "visible_to"]

PAGE = 30
# Newest lines of a job's log that its page shows.
LOG_SHOWN = 100
_State = Job.State


def running_of(user: Any) -> int:
    """Return how many jobs of `user` wait or run."""
    return Job.objects.filter(owner=user, state__in=Job.ACTIVE).count()


class JobFilter(forms.Form):
    """What the list is narrowed by: kinds of job, and people for whom all jobs are shown."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False)
    person = forms.ChoiceField(label=gettext_lazy("Person"), required=False)
    tab = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, people: bool, **kwargs: Any) -> None:
        """Offer the kinds that there are, and with `people` whose jobs."""
        super().__init__(*args, **kwargs)
        kinds = [("", _("Any")), *((kind, kind) for kind in registry.kinds())]
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]
        if not people:
            del self.fields["person"]
            return
        users = get_user_model()._default_manager.filter(is_active=True).order_by("first_name")
        self.fields["person"].choices = [  # type: ignore[attr-defined]
            ("", _("Anybody")),
            ("schedule", _("The schedule")),
            *((str(user.pk), str(user)) for user in users),
        ]

    def narrow(self, jobs: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs that match; wrong values of an address narrow to nothing."""
        if not self.is_valid():
            return jobs.none()
        if kind := self.cleaned_data["kind"]:
            jobs = jobs.filter(kind=kind)
        person = self.cleaned_data.get("person")
        if person == "schedule":
            return jobs.filter(owner=None)
        return jobs.filter(owner_id=person) if person else jobs


class JobsPage(SitePage):
    """The list."""

    path, name = "jobs/", "jobs"
    title = gettext_lazy("Jobs")
    subtitle = gettext_lazy(
        "Work that runs behind the pages. The job of a worker that died is taken up again."
    )
    template_name = "jobs/list.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show one tab of one page; one query counts all tabs."""
        sees_all = may(request.user, "jobs.view_job", None).allowed
        form = JobFilter(request.GET or {"tab": ""}, people=sees_all)
        jobs = form.narrow(visible_to(request.user))
        tab, before = request.GET.get("tab", ""), request.GET.get("before", "")
        narrowed = {
            "mine": jobs.filter(owner_id=request.user.pk),
            "running": jobs.filter(state__in=Job.ACTIVE),
            "failed": jobs.filter(state=_State.FAILED),
        }.get(tab, jobs)
        if before.isdecimal():
            narrowed = narrowed.filter(pk__lt=int(before))
        rows = list(narrowed[: PAGE + 1])
        return {
            "tab": tab,
            "tabs": _tabs(request, jobs),
            "form": form,
            "jobs": [JobView(job, request.user) for job in rows[:PAGE]],
            "older": rows[PAGE - 1].pk if len(rows) > PAGE else None,
            "newer": before.isdecimal(),
            "recurring": recurring() if sees_all else [],
            "workers": workers() if sees_all else [],
            "sees_all": sees_all,
        }


def _tabs(request: HttpRequest, jobs: QuerySet[Job]) -> list[tuple[str, str, int]]:
    counts = {
        row["state"]: row["n"] for row in jobs.order_by().values("state").annotate(n=Count("pk"))
    }
    active = sum(counts.get(state, 0) for state in Job.ACTIVE)
    mine = jobs.filter(owner_id=request.user.pk).count()
    return [
        ("", _("All"), sum(counts.values())),
        ("mine", _("Mine"), mine),
        ("running", _("Running"), active),
        ("failed", _("Failed"), counts.get(_State.FAILED, 0)),
    ]


class _OfJob(SitePage):
    """What all pages of one job share."""

    def found(self, request: HttpRequest, key: UUID) -> JobView:
        """Return the job, or 404 when it is not one that the person may see."""
        job = visible_to(request.user).filter(public_id=key).first()
        if job is None:
            raise Http404
        return JobView(job, request.user)


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
        lines = list(view.job.log.order_by("-id")[:LOG_SHOWN])
        return {"title": view.title, "view": view, "facts": facts, "lines": lines}


class JobStatus(_OfJob):
    """How far a job is, for the script that moves the bar."""

    path, name = "jobs/<uuid:key>/status/", "job_status"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Return state, percent and words as JSON."""
        view = self.found(request, kwargs["key"])
        return JsonResponse(
            {
                "state": view.job.state,
                "badge": [view.badge.kind, view.badge.text],
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


class RetryJob(_OfJob, DialogPage):
    """Try a job again that failed or was stopped."""

    path, name = "jobs/<uuid:key>/retry/", "job_retry"
    title = gettext_lazy("Try this job again")
    submit = gettext_lazy("Try again")
    icon = "replay"

    def subject(self, request: HttpRequest, **kwargs: Any) -> Job:
        """Return the job that the person may see."""
        return self.found(request, kwargs["key"]).job

    def why_not(self, request: HttpRequest, subject: Job) -> str:
        """Refuse others' jobs without the right, and what did not end badly."""
        if subject.owner_id != request.user.pk and not may(request.user, "jobs.retry_job", None):
            return _("This is somebody else's job.")
        if not registry.may_run_again(subject.kind):
            return _("Jobs of this kind are begun anew on their own page.")
        ended_badly = subject.state in services.ENDED_BADLY
        return "" if ended_badly else _("This job does not wait for another try.")

    def intro(self, request: HttpRequest, subject: Job) -> str:
        """Say what happens."""
        text = _("%s goes on after the last step that it finished.")
        return text % subject.title

    def act(self, request: HttpRequest, subject: Job, form: Any) -> str:
        """Queue it again."""
        services.retry(subject, actor=request.user)  # type: ignore[arg-type]
        return _("The job waits for a worker.")

    def back(self, request: HttpRequest, subject: Job) -> str:
        """The page of the job."""
        return reverse("admin:job", args=[subject.public_id])


def _running_job(site: Any, request: HttpRequest) -> dict[str, Any]:
    """Return the newest job of the person that runs, for the top bar."""
    if site is not staff_site:
        return {}
    jobs = Job.objects.filter(owner_id=request.user.pk, state__in=Job.ACTIVE)
    job = jobs.order_by("-state", "-id").first()  # "running" before "queued"
    return {"running_job": JobView(job) if job else None}


for page in (JobsPage, JobPage, JobStatus, CancelJob, RetryJob):
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
