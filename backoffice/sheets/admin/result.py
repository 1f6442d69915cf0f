"""What came of an import: counts, check sums, the rows, and the failed rows to correct."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Max, Min, Model, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from simple_history.utils import get_history_manager_for_model

from backoffice.files import links
from backoffice.policy import may, may_many, scope
from backoffice.sheets import differences, services
from backoffice.sheets.admin import undoing
from backoffice.sheets.admin.base import OneImport, State, standing
from backoffice.sheets.admin.check import dataset_rows, described
from backoffice.sheets.differences import Shape
from backoffice.sheets.errors import ReadError
from backoffice.sheets.exporting import failed_jobs
from backoffice.sheets.formats import CheckSum, Format
from backoffice.sheets.models import ImportJob, ImportProblem
from backoffice.sheets.problems import Severity
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
            "failed": described(_each_once(failed), form),
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
        "failed": failed_rows(job),
        "repeated": job.summary.get("repeated", 0),
    }


def failed_rows(job: ImportJob) -> int:
    """Return how many rows failed, be it in the check, while writing, or in both."""
    failed = job.problems.filter(severity=Severity.FAILED)
    single = failed.filter(count=1).order_by().values("sheet", "row").distinct().count()
    return single + int(failed.filter(count__gt=1).aggregate(rows=Sum("count"))["rows"] or 0)


def _each_once(problems: Any) -> list[ImportProblem]:
    """Return the first problems; one that the run met again stands there once."""
    found = {
        (one.sheet, one.row, one.column, one.code): one for one in problems[: 2 * _SHOWN_FAILED]
    }
    return list(found.values())[:_SHOWN_FAILED]


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
        step = differences.shapes(form).get(kwargs["dataset"])
        if step is None:
            raise Http404
        model = step.model
        if not may(request.user, step.seen_with or "view", model):
            raise PermissionDenied
        written = _written(job, model)
        page = Paginator(written.values_list("id", "history_type"), _A_PAGE).get_page(
            request.GET.get("p")
        )
        seen = self._seen(request, step, [pk for pk, _kind in page.object_list])
        hidden = {"text": _("a record that you may not see"), "url": ""}
        return {
            **self.frame(request, job),
            "title": step.label,
            "crumb": step.label,
            "page_subtitle": _("What this import created or changed."),
            "page": page,
            "rows": [
                {**seen.get(pk, hidden), "created": kind == "+"} for pk, kind in page.object_list
            ],
        }

    def _seen(self, request: HttpRequest, shape: Shape, keys: list[Any]) -> dict[Any, Any]:
        """Return key -> name and link, of the rows that the person may view."""
        records = list(scope(request.user, shape.model._default_manager.filter(pk__in=keys)))
        allowed = None if shape.seen_with else may_many(request.user, "view", records)
        return {
            row.pk: {"text": str(row), "url": self._record_url(shape.model, row.pk)}
            for row in records
            if allowed is None or allowed[row.pk]
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


def _written(job: ImportJob, model: type[Model]) -> Any:
    """Return the history rows of the import; the journal says between which they lie."""
    bounds = job.spans.filter(model=model._meta.label).aggregate(
        first=Min("first"), last=Max("last")
    )
    history = get_history_manager_for_model(model).filter(history_change_reason=job.change_reason)
    if bounds["first"] is not None:
        history = history.filter(history_id__gte=bounds["first"], history_id__lte=bounds["last"])
    return history.order_by("history_id")


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
            kept = failed_jobs.ask(job, actor=signed_in(request))
        except ReadError as error:
            messages.error(request, str(error))
            return self.go("import", job)
        if kept is None:
            text = _("The workbook is being made. Ask for it here again in a minute.")
            messages.info(request, text)
            return self.go("import", job)
        return redirect(links.address(kept, self.site.name))
