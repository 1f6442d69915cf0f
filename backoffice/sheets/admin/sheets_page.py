"""Choosing sheets, and saying in which rows their headers stand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets import mapping, services
from backoffice.sheets.admin.base import OneImport
from backoffice.sheets.admin.covered import covered
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import heads
from backoffice.sheets.reading.guard import letters
from backoffice.sheets.reading.reader import CellError, RawRow, Value
from backoffice.site.visitors import signed_in

_SHOWN = 12
_COLUMNS = 30
_LONGEST = 80


class SheetsPage(OneImport):
    """The sheets of the file with their rows and headers; choose which to import."""

    path = "imports/<uuid:number>/sheets/"
    name = "import_sheets"
    title = gettext_lazy("Sheets")
    subtitle = gettext_lazy("Choose what to import. Hidden sheets are left out unless you ask.")
    template_name = "sheets/sheets.html"
    step = "sheets"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the sheets, ticked as chosen, with their first rows for whose file it is."""
        job = self.job(kwargs["number"])
        frame = self.frame(request, job)
        first = heads.rows(job) if frame["mine"] else {}
        return {
            **frame,
            "format": self.form(job),
            "sheets": [
                self._sheet(index, one, job, first.get(one["name"], []))
                for index, one in enumerate(job.sheets)
            ],
            "rows": sum(one["rows"] for one in job.sheets),
            "hidden_sheets": [one["name"] for one in job.sheets if one["hidden"]],
            "most_joined": mapping.MOST_JOINED,
        }

    @staticmethod
    def _sheet(
        index: int, one: dict[str, Any], job: ImportJob, rows: Sequence[RawRow]
    ) -> dict[str, Any]:
        count = one.get("header_rows", 1)
        header = range(one["header_row"] - count + 1, one["header_row"] + 1)
        return {
            **one,
            "index": index,
            "chosen": one["name"] in job.chosen,
            "first_header_row": header.start,
            "header_rows": count,
            "preview": grid(rows, header),
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Keep the choice; with "headers", show the sheets again below their new headers."""
        job = self.job(kwargs["number"])
        actor = signed_in(request)
        try:
            places = _places(request, job)
            if request.POST.get("do") == "headers":
                services.say_headers(job, places, actor=actor)
                messages.info(request, _("The headers are read anew."))
                return self.go("import_sheets", job)
            services.choose(job, request.POST.getlist("sheet"), actor=actor, headers=places)
        except (ValueError, services.StateError) as error:
            return self.render(request, status=422, extra={"error": str(error)}, **kwargs)
        return self.go("import_mapping", job)


def _places(request: HttpRequest, job: ImportJob) -> dict[str, tuple[int, int]]:
    """Return sheet -> (last row of the header, how many rows make it), of the sheets told of."""
    places = {}
    for index, one in enumerate(job.sheets):
        row = request.POST.get(f"header-{index}", "").strip()
        count = request.POST.get(f"joined-{index}", "").strip() or "1"
        if not row:
            continue
        if not (_is_number(row) and _is_number(count)):
            raise ValueError(_("Say the number of the header's row."))
        places[one["name"]] = (int(row), int(count))
    return places


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8  # noqa: PLR2004


def grid(rows: Sequence[RawRow], header: range) -> dict[str, Any] | None:
    """Return the first rows as a page shows them, a few above the header among them."""
    if not rows:
        return None
    shown = rows[: max(_SHOWN, sum(1 for row in rows if row.number < header.stop) + 5)]
    width = min(max(len(row.cells) for row in shown), _COLUMNS)
    names = [_called(at, rows, header) for at in range(width)]
    return {
        "letters": [letters(index) for index in range(1, width + 1)],
        "rows": [
            {
                "number": row.number,
                "is_header": row.number in header,
                "cells": [
                    covered(_cell(row, at), names[at] if row.number >= header.stop else ())
                    for at in range(width)
                ],
            }
            for row in shown
        ],
    }


def _called(at: int, rows: Sequence[RawRow], header: range) -> list[str]:
    """Return what stands above a column, and all of it together."""
    texts = [_cell(row, at) for row in rows if row.number in header]
    return [*texts, " ".join(texts)]


def _cell(row: RawRow, at: int) -> str:
    return cell_text(row.cells[at]) if at < len(row.cells) else ""


def cell_text(value: Value) -> str:
    """Return a raw cell for the person whose file it is."""
    if value is None:
        return ""
    if isinstance(value, CellError):
        return value.text or _("error")
    if isinstance(value, datetime):
        at = value.isoformat(sep=" ", timespec="minutes")
        return at.removesuffix(" 00:00")
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
