"""What the pages of one import share."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting
from backoffice.jobs.models import Job
from backoffice.sheets import answers, formats
from backoffice.sheets.formats import Format
from backoffice.sheets.models import ImportJob
from backoffice.site import Badge, SitePage
from backoffice.site.visitors import signed_in

State = ImportJob.State
STEPS: tuple[tuple[str, str | Promise], ...] = (
    ("file", gettext_lazy("File")),
    ("sheets", gettext_lazy("Sheets")),
    ("mapping", gettext_lazy("Mapping")),
    ("check", gettext_lazy("Check")),
    ("difference", gettext_lazy("Difference")),
    ("run", gettext_lazy("Run")),
    ("result", gettext_lazy("Result")),
)
BADGES = {
    State.UPLOADED: "rest",
    State.CHECKING: "move",
    State.CHECKED: "wait",
    State.RUNNING: "move",
    State.DONE: "done",
    State.FAILED: "fail",
    State.CANCELLED: "rest",
    State.WAITING: "wait",
    State.UNDOING: "move",
    State.UNDONE: "rest",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the bar above the pages."""

    label: str
    done: bool
    now: bool


def badge(job: ImportJob) -> Badge:
    """Return the state of an import as a badge."""
    state = standing(job)
    return Badge(BADGES[state], str(state.label))  # type: ignore[arg-type]


def standing(job: ImportJob) -> ImportJob.State:
    """Return where the import stands; one whose job is over is not busy, whatever its row says."""
    state = State(job.state)
    if not job.is_busy or job.job is None or not job.job.finished:
        return state
    ended = {Job.State.CANCELLED: State.CANCELLED, Job.State.FAILED: State.FAILED}
    return ended.get(Job.State(job.job.state), state)


class OneImport(SitePage):
    """A page of one import; `step` is its place in the bar."""

    permission = "sheets.view_importjob"
    step = ""
    offers_undo = True

    def job(self, number: uuid.UUID) -> ImportJob:
        """Return the import, or raise Http404."""
        rows = ImportJob.objects.select_related("job", "owner", "profile")
        job = rows.filter(public_id=number).first()
        if job is None:
            raise Http404
        return job

    def form(self, job: ImportJob) -> Format | None:
        """Return the format; None when its app is left out or nothing was recognised."""
        try:
            return formats.get(job.format)
        except KeyError:
            return None

    def url(self, name: str, job: ImportJob) -> str:
        """Return the address of another page of the import."""
        return reverse(f"{self.site.name}:{name}", kwargs={"number": job.public_id})

    def go(self, name: str, job: ImportJob) -> HttpResponse:
        """Send the person to another page of the import."""
        return redirect(self.url(name, job))

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the list of imports."""
        return [(_("Imports"), reverse(f"{self.site.name}:imports"))]

    def frame(self, request: HttpRequest, job: ImportJob) -> dict[str, Any]:
        """Return what every page of an import shows."""
        return {
            "import_job": job,
            "crumb": job.original_name,
            "steps": self._steps(job),
            "state_badge": badge(job),
            "mine": answers.owns(job, signed_in(request)) and not acting.is_acting(),
            "sheets_url": self.url("import_sheets", job),
            "dialect_url": self.url("import_dialect", job),
            "mapping_url": self.url("import_mapping", job),
            "check_url": self.url("import_check", job),
            "difference_url": self.url("import_difference", job),
            "run_url": self.url("import_run", job),
            "result_url": self.url("import_result", job),
            "problems_url": self.url("import_problems", job),
            "failed_url": self.url("import_failed", job),
        }

    def _steps(self, job: ImportJob) -> list[Step]:
        keys = [key for key, _label in STEPS]
        place = keys.index(self.step) if self.step else -1
        over = self.step == "result" and job.state == State.DONE
        return [
            Step(str(label), index < place or over, index == place and not over)
            for index, (_key, label) in enumerate(STEPS)
        ]


def home(job: ImportJob) -> str:
    """Return the name of the page on which an import is to be looked at now."""
    state = standing(job)
    if state in {State.CHECKING, State.RUNNING}:
        return "import_run"
    if state in {State.CHECKED, State.WAITING}:
        return "import_check"
    if state in {State.UNDOING, State.UNDONE}:
        return "import_undone"
    if state == State.DONE or job.started_at is not None:
        return "import_result"
    return "import_sheets"
