"""Choosing sheets, and saying which column is which."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets import formats, mapping, services
from backoffice.sheets.admin.base import OneImport
from backoffice.sheets.formats import Format
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob
from backoffice.site.visitors import signed_in


class SheetsPage(OneImport):
    """The sheets of the file with their rows; choose which to import."""

    path = "imports/<uuid:number>/sheets/"
    name = "import_sheets"
    title = gettext_lazy("Sheets")
    subtitle = gettext_lazy("Choose what to import. Hidden sheets are left out unless you ask.")
    template_name = "sheets/sheets.html"
    step = "sheets"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the sheets, ticked as chosen."""
        job = self.job(kwargs["number"])
        form = self.form(job)
        return {
            **self.frame(request, job),
            "format": form,
            "sheets": [{**one, "chosen": one["name"] in job.chosen} for one in job.sheets],
            "rows": sum(one["rows"] for one in job.sheets),
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Keep the choice."""
        job = self.job(kwargs["number"])
        try:
            services.choose(job, request.POST.getlist("sheet"), actor=signed_in(request))
        except (ValueError, services.StateError) as error:
            return self.render(request, status=422, extra={"error": str(error)}, **kwargs)
        return self.go("import_mapping", job)


class MappingPage(OneImport):
    """Which column of the file goes where; the check starts from here."""

    path = "imports/<uuid:number>/mapping/"
    name = "import_mapping"
    title = gettext_lazy("Mapping")
    subtitle = gettext_lazy("Found by the headers. Change what is wrong; nothing is written yet.")
    template_name = "sheets/mapping.html"
    step = "mapping"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return a table for each group of sheets with the same headers."""
        job = self.job(kwargs["number"])
        form = self.form(job)
        return {
            **self.frame(request, job),
            "format": form,
            "choices": services.open_formats(signed_in(request)),
            "groups": _groups(job, form, request) if form else [],
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Keep the mapping and start the check."""
        job = self.job(kwargs["number"])
        form = self._chosen_format(request, job)
        try:
            posted = {
                name: _posted(request, job, form, group)
                for group, names in enumerate(_same_headers(job))
                for name in names
            }
            services.map_columns(job, form, posted, actor=signed_in(request))
            services.check(job, actor=signed_in(request))
        except (ValueError, services.StateError) as error:
            return self.render(request, status=422, extra={"error": str(error)}, **kwargs)
        return self.go("import_run", job)

    @staticmethod
    def _chosen_format(request: HttpRequest, job: ImportJob) -> Format:
        try:
            return formats.get(request.POST.get("format", job.format))
        except KeyError:
            raise Http404 from None


def _same_headers(job: ImportJob) -> list[list[str]]:
    """Return the chosen sheets, those with equal headers together."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for one in job.sheets:
        if one["name"] in job.chosen:
            key = (one["header_row"], *one["headers"])
            groups.setdefault(key, []).append(one["name"])
    return list(groups.values())


def _groups(job: ImportJob, form: Format, request: HttpRequest) -> list[dict[str, Any]]:
    sheets = {one["name"]: one for one in job.sheets}
    result = []
    for index, names in enumerate(_same_headers(job)):
        sheet = sheets[names[0]]
        stored = job.mapping.get(names[0])
        places = dict(stored["columns"]) if stored else {}
        headers = list(enumerate(mapping.shown(sheet["headers"])))
        result.append(
            {
                "index": index,
                "names": names,
                "header_row": sheet["header_row"],
                "headers": headers,
                "unused": [text for place, text in headers if place not in places.values()],
                "columns": [
                    {
                        "column": column,
                        "field": _field(index, column.key),
                        "place": _asked(request, _field(index, column.key), places.get(column.key)),
                    }
                    for column in form.columns
                ],
            }
        )
    return result


def _field(group: int, key: str) -> str:
    return f"column-{group}-{key}"


def _asked(request: HttpRequest, field: str, stored: int | None) -> int | None:
    """Return what was posted, so that nothing chosen is lost when something is wrong."""
    posted = request.POST.get(field)
    if posted is None:
        return stored
    return int(posted) if posted.isdecimal() else None


def _posted(request: HttpRequest, job: ImportJob, form: Format, group: int) -> SheetMapping:
    sheets = {one["name"]: one for one in job.sheets}
    sheet = sheets[_same_headers(job)[group][0]]
    columns: dict[str, int] = {}
    for column in form.columns:
        value = request.POST.get(_field(group, column.key), "")
        if value.isdecimal():
            if int(value) >= len(sheet["headers"]):
                raise ValueError(_("Choose one of the columns of the sheet."))
            columns[column.key] = int(value)
    return SheetMapping(sheet["header_row"], columns)
