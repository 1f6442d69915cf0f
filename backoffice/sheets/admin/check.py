"""What the check found: preview, problems with row and column, sums. Nothing is written yet."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets import dialects, formats, reader, services
from backoffice.sheets.admin.base import OneImport, State
from backoffice.sheets.errors import ReadError
from backoffice.sheets.formats import Column, Format, SheetRow
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob, ImportProblem
from backoffice.sheets.problems import Severity, quote
from backoffice.site.visitors import signed_in

_PREVIEW = 5
# A page is not kept waiting for the first rows of a large file.
_PREVIEW_BYTES = 4 * 1024 * 1024
_KINDS = 12
_A_PAGE = 100
PROBLEM_BADGES = {Severity.FAILED: "fail", Severity.SKIPPED: "rest", Severity.WARNING: "wait"}


class CheckPage(OneImport):
    """The result of the check; the import starts from here."""

    path = "imports/<uuid:number>/check/"
    name = "import_check"
    title = gettext_lazy("Check")
    subtitle = gettext_lazy("Every row was checked. Nothing is written yet.")
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
            "datasets": dataset_rows(form, job.summary.get("datasets", {})),
            "problems": described(islice(_one_of_each(job), _KINDS), form),
            "problem_count": job.problems.count(),
            "mapping": _mapping_rows(job, form),
            "preview": _preview(job, form) if form and job.owner_id == request.user.pk else None,
            "may_start": job.state == State.CHECKED,
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Start the import."""
        job = self.job(kwargs["number"])
        try:
            services.start(job, actor=signed_in(request))
        except services.StateError as error:
            return self.render(request, status=409, extra={"error": str(error)}, **kwargs)
        return self.go("import_run", job)


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
    labels: dict[str, str] = {}
    for step in form.steps if form else ():
        labels.setdefault(step.dataset, str(step.label))
    return [
        {"key": key, "label": labels.get(key, key), **counts[key]}
        for key in labels
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
    if not job.file or not job.chosen or job.size > _PREVIEW_BYTES:
        return None
    try:
        _inspection, sheets, _notes = reader.outline(job, limit=40)
    except (ReadError, OSError):
        return None
    name = job.chosen[0]
    places = SheetMapping.from_json(job.mapping[name])
    sheet = next(one for one in sheets if one.name == name)
    below = [row for row in sheet.head if row.number > places.header_row][:_PREVIEW]
    rows = formats.typed(below, form, {name: places}, dialects.of(job))
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
