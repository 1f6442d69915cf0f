"""A check or an import while it runs."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.jobs.models import Job
from backoffice.sheets import services
from backoffice.sheets.admin.base import OneImport, State, home, standing
from backoffice.sheets.models import ImportJob
from backoffice.site.visitors import signed_in


class RunPage(OneImport):
    """Progress; the page may be left."""

    path = "imports/<uuid:number>/run/"
    name = "import_run"
    title = gettext_lazy("Run")
    template_name = "sheets/run.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the progress; when it is over, send to what came of it."""
        job = self.job(kwargs["number"])
        if standing(job) not in {State.CHECKING, State.RUNNING}:
            return self.go(home(job), job)
        return self.render(request, **kwargs)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the state of the job."""
        job = self.job(kwargs["number"])
        checking = job.state == State.CHECKING
        self.step = "check" if checking else "run"
        return {
            **self.frame(request, job),
            "title": _("Check") if checking else _("Run"),
            "checking": checking,
            "progress": progress(job),
            "progress_url": self.url("import_progress", job),
            "so_far": {name: job.total(name) for name in ("created", "updated", "unchanged")},
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Ask the job to stop."""
        job = self.job(kwargs["number"])
        try:
            services.cancel(job, actor=signed_in(request))
        except services.StateError as error:
            messages.warning(request, str(error))
        else:
            messages.info(request, _("The import stops at its next safe point."))
        return self.go("import", job)


class ProgressPage(OneImport):
    """The state of the job for the script of the page."""

    path = "imports/<uuid:number>/progress/"
    name = "import_progress"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Return it as JSON."""
        return JsonResponse(
            progress(self.job(kwargs["number"])), headers={"Cache-Control": "no-store"}
        )


def progress(job: ImportJob) -> dict[str, Any]:
    """Return percent (None while unknown), words, rate and time left."""
    work = job.job
    if work is None or standing(job) not in {State.CHECKING, State.RUNNING}:
        return {"percent": 100, "progress": "", "message": "", "rate": "", "left": "",
                "finished": True}  # fmt: skip
    if work.state == Job.State.QUEUED:
        return {"percent": None, "progress": "", "message": _("Waiting for a worker"), "rate": "",
                "left": "", "finished": False}  # fmt: skip
    percent = min(99, work.done * 100 // work.total) if work.total else None
    rate = _rate(job, work)
    left = round((work.total - work.done) / rate) if rate and work.total else None
    return {
        "percent": percent,
        "progress": _("%(done)s of %(total)s")
        % {"done": f"{work.done:,}", "total": f"{work.total:,}"}
        if work.total
        else "",
        "message": work.message,
        "rate": f"{rate:,.0f}" if rate else "",
        "left": "" if left is None else _("%(seconds)s s") % {"seconds": left},
        "finished": False,
    }


def _rate(job: ImportJob, work: Job) -> float:
    """Return units a second of this try."""
    if work.started_at is None or not work.done:
        return 0.0
    seconds = (timezone.now() - work.started_at).total_seconds()
    return work.done / seconds if seconds > 1 else 0.0
