"""What came of an import: counts, check sums, the rows, and the failed rows to correct."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from simple_history.utils import get_history_manager_for_model

from backoffice.audit.services import record
from backoffice.files import content, links
from backoffice.files import services as files
from backoffice.policy import may
from backoffice.sheets import services, workbooks
from backoffice.sheets.admin import undoing
from backoffice.sheets.admin.base import OneImport, State, standing
from backoffice.sheets.admin.check import dataset_rows, described
from backoffice.sheets.errors import ReadError
from backoffice.sheets.formats import CheckSum, Format
from backoffice.sheets.models import ImportJob
from backoffice.sheets.problems import Severity
from backoffice.sheets.resources import SheetResource
from backoffice.site.visitors import signed_in

_A_PAGE = 50
_SHOWN_FAILED = 10


class ResultPage(OneImport):
    """The numbers of an import that ran."""

    path = "imports/<uuid:number>/result/"
    name = "import_result"
    title = gettext_lazy("Result")
    template_name = "sheets/result.html"
    step = "result"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the result; before there is one, send to where the import stands."""
        job = self.job(kwargs["number"])
        return self.render(request, **kwargs) if job.started_at else self.go("import", job)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return counts, check sums and links."""
        job = self.job(kwargs["number"])
        form = self.form(job)
        failed = job.problems.filter(severity=Severity.FAILED)
        sums = [CheckSum.from_json(one) for one in job.sums]
        return {
            **self.frame(request, job),
            **undoing.links(self, job, request.user),
            "summary": job.summary,
            "totals": totals(job),
            "seconds": _seconds(job),
            "sums": sums,
            "sums_agree": bool(sums) and all(one.agrees for one in sums),
            "datasets": self._datasets(job, form),
            "failed": described(failed[:_SHOWN_FAILED], form),
            "failed_count": failed.count(),
            "repeated": described(job.problems.filter(code="repeated"), form),
            "done": job.state == State.DONE,
            "may_resume": standing(job) in {State.CANCELLED, State.FAILED} and bool(job.file),
            "imports_url": reverse(f"{self.site.name}:imports"),
        }

    def _datasets(self, job: ImportJob, form: Format | None) -> list[dict[str, Any]]:
        rows = dataset_rows(form, job.counters)
        for row in rows:
            row["written"] = row["created"] + row["updated"]
            row["url"] = reverse(
                f"{self.site.name}:import_rows",
                kwargs={"number": job.public_id, "dataset": row["key"]},
            )
        return rows

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Go on with an import that was stopped, from its last checkpoint."""
        job = self.job(kwargs["number"])
        services.tidy()
        try:
            services.start(job, actor=signed_in(request))
        except services.StateError as error:
            messages.warning(request, str(error))
            return self.go("import", job)
        return self.go("import_run", job)


def totals(job: ImportJob) -> dict[str, int]:
    """Return the headline: records by what was done, rows by why they were left out."""
    return {
        "created": job.total("created"),
        "updated": job.total("updated"),
        "unchanged": job.total("unchanged"),
        "skipped": job.summary.get("skipped", 0),
        "failed": job.summary.get("failed", 0) + job.total("failed"),
        "repeated": job.summary.get("repeated", 0),
    }


def _seconds(job: ImportJob) -> int | None:
    if job.started_at is None or job.finished_at is None:
        return None
    return round((job.finished_at - job.started_at).total_seconds())


class RowsPage(OneImport):
    """The records of one kind that an import wrote, by their history."""

    path = "imports/<uuid:number>/rows/<slug:dataset>/"
    name = "import_rows"
    title = gettext_lazy("Rows of the import")
    template_name = "sheets/rows.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return a page of records with links to their pages, for those who may see them."""
        job = self.job(kwargs["number"])
        form = self.form(job)
        step = _resource(form, kwargs["dataset"])
        model: type[Model] = step._meta.model
        if not may(request.user, step.seen_with or "view", model):
            raise PermissionDenied
        history = get_history_manager_for_model(model)
        written = history.filter(history_change_reason=job.change_reason).order_by("history_id")
        page = Paginator(written.values_list("id", "history_type"), _A_PAGE).get_page(
            request.GET.get("p")
        )
        found = model._default_manager.in_bulk([pk for pk, _kind in page.object_list])
        return {
            **self.frame(request, job),
            "title": step.label,
            "crumb": step.label,
            "page_subtitle": _("What this import created or changed."),
            "page": page,
            "rows": [
                {
                    "text": str(found.get(pk, pk)),
                    "url": self._record_url(model, pk),
                    "created": kind == "+",
                }
                for pk, kind in page.object_list
            ],
        }

    def _record_url(self, model: type[Model], pk: int) -> str:
        name = f"{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return reverse(f"{self.site.name}:{name}", args=[pk])
        except NoReverseMatch:
            return ""

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the list of imports, and the result of this one."""
        job = self.job(kwargs["number"])
        above = super().breadcrumbs(request, **kwargs)
        return [*above, (job.original_name, self.url("import_result", job))]


def _resource(form: Format | None, dataset: str) -> type[SheetResource]:
    for step in form.steps if form else ():
        if step.dataset == dataset and issubclass(step, SheetResource):
            return step
    raise Http404


class FailedRowsPage(OneImport):
    """The failed rows as a workbook, for the person whose file it is."""

    path = "imports/<uuid:number>/failed-rows/"
    name = "import_failed"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Send to the import: the workbook comes by POST, since giving it out is recorded."""
        return self.go("import", self.job(kwargs["number"]))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Make the workbook and send the person to it."""
        job = self.job(kwargs["number"])
        services.must_own(job, signed_in(request))
        if not job.problems.filter(severity=Severity.FAILED).exists():
            raise Http404
        try:
            made = workbooks.failed_rows(job)
        except ReadError as error:
            messages.error(request, str(error))
            return self.go("import", job)
        failed = job.problems.filter(severity=Severity.FAILED).count()
        record(
            services.FAILED_ROWS,
            actor=signed_in(request),
            subject=job,
            context={"problems": failed},
        )
        kept = files.keep(
            made,
            name=f"failed-rows-{job.public_id.hex[:8]}.xlsx",
            kind=content.WORKBOOK,
            purpose=services.FAILED_ROWS,
            owner=signed_in(request),
        )
        return redirect(links.address(kept, self.site.name))
