"""What the check found: preview, problems with row and column, sums. Nothing is written yet."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets import differences, formats, gates, services, starting
from backoffice.sheets.admin.base import OneImport, State
from backoffice.sheets.answers import form_of
from backoffice.sheets.formats import Column, Format, SheetRow
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob, ImportProblem, Status
from backoffice.sheets.problems import Severity, quote
from backoffice.sheets.reading import dialects, heads
from backoffice.sheets.undoing import undo
from backoffice.sheets.writing.ways import LABELS as WAYS
from backoffice.sheets.writing.ways import Way
from backoffice.site.visitors import signed_in

_PREVIEW = 5
_KINDS = 12
_A_PAGE = 100
PROBLEM_BADGES = {Severity.FAILED: "fail", Severity.SKIPPED: "rest", Severity.WARNING: "wait"}


class CheckPage(OneImport):
    """The result of the check; what it writes is chosen here, and the import starts from here."""

    path = "imports/<uuid:number>/check/"
    name = "import_check"
    title = gettext_lazy("Check")
    template_name = "sheets/check.html"
    step = "check"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the check; before there is one, send to where the import stands."""
        job = self.job(kwargs["number"])
        return self.render(request, **kwargs) if job.summary else self.go("import", job)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return counts, problems one of each kind, sums, mapping and a preview."""
        job = self.job(kwargs["number"])
        form = self.form(job)
        return {
            **self.frame(request, job),
            "format": form,
            "summary": job.summary,
            "sums": job.summary.get("sums", []),
            "datasets": _datasets(job),
            "totals": _totals(job),
            "problems": described(islice(_one_of_each(job), _KINDS), form),
            "problem_count": job.problems.count(),
            "mapping": _mapping_rows(job, form),
            "preview": _preview(job, form) if form and job.owner_id == request.user.pk else None,
            **self._start(job),
        }

    def _start(self, job: ImportJob) -> dict[str, Any]:
        """Return how it is written, and what keeps it from starting."""
        checked = job.state == State.CHECKED
        return {
            "may_start": checked,
            "may_check": job.state in {State.CHECKED, State.WAITING},
            "is_waiting": job.state == State.WAITING,
            "why_not": gates.why_not(job) if checked else "",
            "needs_approval": checked and gates.needs_approval(job),
            "request_url": self._request_url(job),
            "modes": ImportJob.Mode.choices,
            "ways": _ways(job),
            "stays": undo.staying(form_of(job)),
            "stays_whole": undo.stays_whole(job),
        }

    def _request_url(self, job: ImportJob) -> str:
        if job.request_id is None:
            return ""
        try:
            return reverse(f"{self.site.name}:approval", args=[job.request_id])
        except NoReverseMatch:
            return ""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Start the import or ask for its approval, choose what it writes, or check anew."""
        job = self.job(kwargs["number"])
        acts = {"mode": self._set_mode, "check": self._check}
        act = acts.get(request.POST.get("do", ""), self._begin)
        try:
            return act(request, job)
        except services.StateError as error:
            return self.render(request, status=409, extra={"error": str(error)}, **kwargs)
        except ValidationError as error:
            extra = {"error": " ".join(error.messages)}
            return self.render(request, status=422, extra=extra, **kwargs)

    def _begin(self, request: HttpRequest, job: ImportJob) -> HttpResponse:
        reason = request.POST.get("reason", "")
        if starting.start_or_ask(job, actor=signed_in(request), reason=reason) is None:
            messages.info(request, _("Somebody else was asked to approve this import."))
            return self.go("import_check", job)
        return self.go("import_run", job)

    def _set_mode(self, request: HttpRequest, job: ImportJob) -> HttpResponse:
        mode, whole = request.POST.get("mode", ""), request.POST.get("whole") == "1"
        try:
            begun = starting.set_mode(job, mode, whole=whole, actor=signed_in(request))
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return self.go("import_run" if begun else "import_check", job)

    def _check(self, request: HttpRequest, job: ImportJob) -> HttpResponse:
        services.check(job, actor=signed_in(request))
        return self.go("import_run", job)


def _datasets(job: ImportJob) -> list[dict[str, Any]]:
    """Return the records of each data set by what becomes of them, as the check counted them."""
    labels = {name: shape.label for name, shape in differences.shapes(form_of(job)).items()}
    return [
        {
            "label": labels.get(name, name),
            **{one.name.lower(): counts.get(one, 0) for one in Status},
        }
        for name, counts in job.summary.get("totals", {}).items()
    ]


def _totals(job: ImportJob) -> dict[str, int]:
    """Return records over all data sets, and the rows that are left out."""
    counts = job.summary.get("totals", {}).values()
    wanted = (Status.NEW, Status.CHANGED, Status.UNCHANGED, Status.BRINGS)
    return {one.name.lower(): sum(part.get(one, 0) for part in counts) for one in wanted}


def _ways(job: ImportJob) -> list[dict[str, Any]]:
    """Return how each data set is written and why not faster; equal ones once."""
    shapes = differences.shapes(form_of(job))
    found: dict[tuple[Any, ...], list[str]] = {}
    for name, one in job.ways.items():
        label = str(shapes[name].label) if name in shapes else name
        found.setdefault((one["way"], *one["reasons"]), []).append(label)
    return [
        {"text": WAYS[Way(way)], "reasons": reasons, "names": names if len(found) > 1 else []}
        for (way, *reasons), names in found.items()
    ]


class ProblemsPage(OneImport):
    """Every problem, by outcome."""

    path = "imports/<uuid:number>/problems/"
    name = "import_problems"
    title = gettext_lazy("Problems")
    subtitle = gettext_lazy("Every row that was left out or taken in another way, and why.")
    template_name = "sheets/problems.html"
    step = "check"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return a page of problems."""
        job = self.job(kwargs["number"])
        severity = request.GET.get("outcome", "")
        rows = job.problems.all()
        if severity in list(Severity):
            rows = rows.filter(severity=severity)
        page = Paginator(rows, _A_PAGE).get_page(request.GET.get("p"))
        return {
            **self.frame(request, job),
            "problems": described(page.object_list, self.form(job)),
            "page": page,
            "outcome": severity,
            "outcomes": ImportProblem.Level.choices,
        }


def described(problems: Iterable[ImportProblem], form: Format | None) -> list[dict[str, Any]]:
    """Return problems as the tables show them."""
    labels = {column.key: str(column.label) for column in form.columns} if form else {}
    return [
        {
            "problem": one,
            "column": labels.get(one.column, one.column),
            "badge": PROBLEM_BADGES[Severity(one.severity)],
            "outcome": one.get_severity_display(),
        }
        for one in problems
    ]


def _one_of_each(job: ImportJob) -> Iterable[ImportProblem]:
    """Yield the first of each kind, with how many rows are like it; what is left out first."""
    order = [Severity.FAILED, Severity.SKIPPED, Severity.WARNING]
    first: dict[tuple[str, str], ImportProblem] = {}
    for one in job.problems.iterator():
        key = (one.code, one.column)
        if key in first:
            first[key].count += one.count
        else:
            first[key] = one
    yield from sorted(first.values(), key=lambda one: order.index(Severity(one.severity)))


def dataset_rows(form: Format | None, counts: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """Return the counts of data sets with their labels, in the order of the format."""
    return [
        {"key": key, "label": shape.label, **counts[key]}
        for key, shape in differences.shapes(form).items()
        if key in counts
    ]


def _mapping_rows(job: ImportJob, form: Format | None) -> list[dict[str, str]]:
    """Return the mapping of the first chosen sheet in words."""
    if form is None or not job.chosen:
        return []
    sheet = next(one for one in job.sheets if one["name"] == job.chosen[0])
    places = SheetMapping.from_json(job.mapping[job.chosen[0]]).columns
    return [
        {
            "header": sheet["headers"][places[column.key]] if column.key in places else "",
            "goes_to": str(column.goes_to),
            "how": str(column.how),
        }
        for column in form.columns
    ]


def _preview(job: ImportJob, form: Format) -> dict[str, Any] | None:
    """Return the first rows as they are read; only for the person whose file it is."""
    name = next(iter(job.chosen), None)
    head = heads.rows(job).get(name, []) if name is not None else []
    if name is None or not head:
        return None
    one = SheetMapping.from_json(job.mapping[name])
    below = [row for row in head if row.number > one.header_row][:_PREVIEW]
    rows = formats.typed(below, form, {name: one}, dialects.of(job))
    return {
        "sheet": name or job.original_name,
        "heads": [str(column.label) for column in form.columns],
        "rows": [
            {"number": row.number, "cells": [_shown(column, row) for column in form.columns]}
            for row in rows
        ],
    }


def _shown(column: Column, row: SheetRow) -> str:
    value = row.values.get(column.key)
    if value is None:
        bad = any(problem.column == column.key for problem in row.bad)
        return _("problem") if bad else "\N{EN DASH}"
    if column.plain and isinstance(value, str) and "@" not in value:
        return value
    return f"{value:%Y-%m-%d %H:%M} UTC" if hasattr(value, "strftime") else quote(value)
