"""Kept sheets: the list, the keeping, the table with its filters, and what is done with it."""

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.policy import scope
from backoffice.sheets import answers, services
from backoffice.sheets.admin import kept_base
from backoffice.sheets.admin.base import OneImport
from backoffice.sheets.admin.kept_base import KeptPage, address, is_mine, sheet_of
from backoffice.sheets.errors import ReadError
from backoffice.sheets.kept import keeping, personal, promoting, recognise
from backoffice.sheets.kept.frames import SheetFrame
from backoffice.sheets.models import ImportJob, KeptChart, KeptJoin, KeptSheet
from backoffice.sheets.reading import reader
from backoffice.sheets.reading.guard import letters
from backoffice.site import throttling
from backoffice.site.visitors import signed_in

_SHOWN = 100
_HEAD = 8
_LEAST = 2


class FileForm(forms.Form):
    """One file to keep a sheet of."""

    file = forms.FileField(
        label=gettext_lazy("Workbook or csv file to keep"),
        help_text=gettext_lazy(
            "You choose the sheet and its name next. Columns of names, e-mails, phones and "
            "addresses are masked."
        ),
    )


class KeptSheetsPage(KeptPage):
    """Kept sheets, joins and charts that the person may see, with the upload for those who may."""

    path, name = "kept/", "kept"
    title = gettext_lazy("Kept sheets")
    subtitle = gettext_lazy(
        "Sheets kept as tables of their own: browse, join, chart, import later."
    )
    template_name = "sheets/kept.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """Return nothing: this is the list."""
        return []

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return what there is for the person, newest first."""
        user = signed_in(request)
        sheets = scope(user, KeptSheet.objects.select_related("owner"))
        seen_on_both = Q(left__in=sheets) & (Q(right=None) | Q(right__in=sheets))
        joins = scope(user, KeptJoin.objects.select_related("owner", "left", "right"))
        joins = joins.filter(seen_on_both)
        seen = KeptChart.objects.filter(sheet__in=sheets) | KeptChart.objects.filter(join__in=joins)
        charts = seen.select_related("owner", "sheet", "join").distinct()
        return {
            "file_form": FileForm() if _may_keep(request) else None,
            "may_add": user.has_perm(keeping.ADD),
            "sheets": [
                (one, kept_base.badge_of(one), address("kept_sheet", one))
                for one in sheets[:_SHOWN]
            ],
            "joins": [(one, address("kept_join", one)) for one in joins[:_SHOWN]],
            "charts": [(one, address("kept_chart", one)) for one in charts[:_SHOWN]],
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Take a file and go on to the choice of its sheet."""
        if not _may_keep(request):
            raise PermissionDenied
        form = FileForm(request.POST, request.FILES)
        if form.is_valid():
            throttling.spend("upload", request)
            try:
                job = services.take(form.cleaned_data["file"], signed_in(request))
            except ReadError as error:
                form.add_error("file", str(error))
            else:
                return redirect("admin:import_keep", number=job.public_id)
        return self.render(request, status=422, extra={"file_form": form})


def _may_keep(request: HttpRequest) -> bool:
    return request.user.has_perm(keeping.ADD) and request.user.has_perm("sheets.add_importjob")


class KeepForm(forms.Form):
    """Which sheet, where its headers are, and how it is called."""

    sheet = forms.ChoiceField(label=gettext_lazy("Sheet"))
    header_row = forms.IntegerField(
        label=gettext_lazy("Row with the headers"),
        min_value=0,
        max_value=1000,
        help_text=gettext_lazy("Rows above it are left out. 0: there are no headers."),
    )
    name = forms.CharField(label=gettext_lazy("Name of the table"), max_length=80)
    days = forms.TypedChoiceField(
        label=gettext_lazy("Kept for"), coerce=int, choices=list(keeping.LASTS.items())
    )
    shared = forms.BooleanField(
        label=gettext_lazy("Others may see it, with its masks"), required=False
    )

    def __init__(self, *args: Any, sheets: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sheet"].choices = sheets  # type: ignore[attr-defined]


class KeepPage(OneImport):
    """An uploaded file before a sheet of it is kept: the first rows, and the choices."""

    path, name = "imports/<uuid:number>/keep/", "import_keep"
    title = gettext_lazy("Keep as a table")
    permission = keeping.ADD
    template_name = "sheets/kept_keep.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the list of kept sheets."""
        return [(_("Kept sheets"), reverse("admin:kept"))]

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the first rows, which only the person who uploaded the file sees."""
        job = self._mine(request, kwargs)
        outlines: list[reader.Outline] = []
        try:
            if not job.file:
                raise ReadError(_("The file is not kept any more. Upload it again."))  # noqa: TRY301
            outlines = _first_rows(job)
        except ReadError as error:
            messages.error(request, str(error))
        shown = next((one for one in outlines if not one.hidden), None)
        start = {"header_row": header_row(shown) if shown else 1, "name": _stem(job)}
        return {
            "crumb": job.original_name,
            "import_job": job,
            "must_say": bool(outlines) and keeping.must_say(job),
            "keep_form": KeepForm(initial=start, sheets=_choices(job)),
            "previews": [_preview(one) for one in outlines],
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Begin to keep it."""
        job = self._mine(request, kwargs)
        form = KeepForm(request.POST, sheets=_choices(job))
        if form.is_valid():
            try:
                chosen = dict(form.cleaned_data)
                chosen["sheet"] = job.sheets[int(chosen["sheet"])]["name"]
                kept = keeping.keep(job, actor=signed_in(request), **chosen)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return redirect("admin:kept_sheet", number=kept.public_id)
        return self.render(request, status=422, extra={"keep_form": form}, **kwargs)

    def _mine(self, request: HttpRequest, kwargs: dict[str, Any]) -> ImportJob:
        job = self.job(kwargs["number"])
        if job.owner_id != request.user.pk:
            raise PermissionDenied
        return job


def _first_rows(job: ImportJob) -> list[reader.Outline]:
    """Return the sheets with the rows that were kept at the upload; too long ones are read again.

    Raises ReadError.
    """
    kept = answers.outlines(job)
    if any(one.rows and not one.head for one in kept):
        kept = reader.outline(job, limit=_HEAD)[1]
    return [replace(one, head=one.head[:_HEAD]) for one in kept]


def _choices(job: ImportJob) -> list[tuple[str, str]]:
    """Return the sheets by their place: the one sheet of a csv file has no name."""
    return [(str(at), one["name"] or job.original_name) for at, one in enumerate(job.sheets)]


def _stem(job: ImportJob) -> str:
    return job.original_name.rpartition(".")[0][:80] or job.original_name[:80]


def header_row(sheet: reader.Outline) -> int:
    """Return the row that looks like the headers: the first that is filled like the widest."""
    widest = max((_filled(row) for row in sheet.head), default=0)
    for row in sheet.head:
        texts = all(isinstance(cell, str) or cell is None for cell in row.cells)
        if texts and _filled(row) >= max(widest - 1, _LEAST):
            return row.number
    return sheet.head[0].number if sheet.head else 1


def _filled(row: reader.RawRow) -> int:
    return sum(cell is not None and cell != "" for cell in row.cells)


def _preview(sheet: reader.Outline) -> dict[str, Any]:
    width = max((len(row.cells) for row in sheet.head), default=0)
    lines = [
        (row.number, [_shown(cell) for cell in row.cells] + [""] * (width - len(row.cells)))
        for row in sheet.head
    ]
    heads = [letters(index + 1) for index in range(width)]
    return {"name": sheet.name, "lines": lines, "heads": heads, "rows": sheet.rows}


def _shown(cell: reader.Value) -> str:
    """Return a cell for the person whose file it is; what is plainly personal is masked even so."""
    if isinstance(cell, reader.CellError):
        return "#"
    text = recognise.text_of({"d": cell.isoformat()} if hasattr(cell, "isoformat") else cell)  # type: ignore[union-attr]
    return personal.masked(text)[:60]


class SheetPage(KeptPage):
    """A kept sheet: rows, filters, totals; or its progress while it is read."""

    path, name = "kept/<uuid:number>/", "kept_sheet"
    template_name = "sheets/kept_sheet.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the rows, or take a filter into the address."""
        kept = sheet_of(request, kwargs["number"])
        if kept.state == KeptSheet.State.READY and "by" in request.GET:
            going, wrong = kept_base.added_filter(SheetFrame(kept), request.GET)
            if going:
                return redirect(f"{request.path}{going}")
            messages.error(request, wrong)
            return redirect(request.path)
        return self.render(request, **kwargs)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the table and what the person may do with it."""
        kept = sheet_of(request, kwargs["number"])
        frame: dict[str, Any] = {
            "kept": kept,
            "title": kept.name,
            "crumb": kept.name,
            "state_badge": kept_base.badge_of(kept),
            "mine": is_mine(request, kept),
            "may_add": request.user.has_perm(keeping.ADD),
            "urls": {name: address(f"kept_{name}", kept) for name in _BUTTONS},
        }
        if kept.state != KeptSheet.State.READY:
            return {**frame, "progress": progress(kept)}
        found = kept_base.found_in(SheetFrame(kept), request.GET)
        return {
            **frame,
            **kept_base.table(found, request.GET),
            "may_export": request.user.has_perm(keeping.EXPORT),
            "may_promote": promoting.may_promote(kept, signed_in(request)),
            "errors": sum(column.errors for column in found.frame.columns),
            "charts": [(one, address("kept_chart", one)) for one in kept.charts.all()],
        }


_BUTTONS = ("export", "share", "mask", "delete", "promote", "progress")


class ProgressPage(KeptPage):
    """How far the reading is, for the script of the page."""

    path, name = "kept/<uuid:number>/progress/", "kept_progress"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Return it as JSON."""
        kept = sheet_of(request, kwargs["number"])
        return JsonResponse(progress(kept), headers={"Cache-Control": "no-store"})


def progress(kept: KeptSheet) -> dict[str, Any]:
    """Return percent (None while unknown), words, and whether it is over."""
    over = kept.state != KeptSheet.State.LOADING or kept.job is None or kept.job.finished
    work = kept.job
    percent = min(99, work.done * 100 // work.total) if work and work.total else None
    words = work.message if work and work.total else _("Waiting for a worker")
    return {
        "percent": 100 if over else percent,
        "progress": "",
        "message": "" if over else words,
        "rate": "",
        "left": "",
        "finished": over,
    }


class ExportPage(KeptPage):
    """The rows as a file."""

    path, name = "kept/<uuid:number>/export/", "kept_export"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Return it."""
        kept = sheet_of(request, kwargs["number"])
        if kept.state != KeptSheet.State.READY:
            raise BadRequest
        return kept_base.export(request, kept, SheetFrame(kept), address("kept_sheet", kept))


PAGES = (
    KeptSheetsPage,
    KeepPage,
    SheetPage,
    ProgressPage,
    ExportPage,
)
