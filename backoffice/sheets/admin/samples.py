"""The first real values of each column, as they stand in the file and as they are read.

Only for the person whose file it is: the values are a stranger's data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backoffice.sheets import formats
from backoffice.sheets.admin.covered import covered
from backoffice.sheets.admin.drafts import Draft
from backoffice.sheets.admin.sheets_page import cell_text
from backoffice.sheets.formats import Column, Format, SheetRow
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob
from backoffice.sheets.problems import wrong_cell
from backoffice.sheets.reading import dialects
from backoffice.sheets.reading.reader import RawRow

_ROWS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One cell: as it stands in the file, as it is read, and what is wrong with it."""

    row: int
    raw: str
    read: str
    wrong: str = ""


def samples(
    draft: Draft, job: ImportJob, form: Format, first: Sequence[RawRow]
) -> dict[str, list[Sample]]:
    """Return column key -> samples; nothing while the answers cannot be understood."""
    try:
        one = draft.mappings()[draft.names[0]]
    except ValueError:
        return {}
    below = [row for row in first if row.number > one.header_row][:_ROWS]
    read = list(formats.typed(below, form, {row.sheet: one for row in below}, dialects.of(job)))
    return {
        column.key: [
            _sample(column, one, raw, row, _called(column, one, job))
            for raw, row in zip(below, read, strict=True)
        ]
        for column in form.columns
        if column.key in one.columns or column.key in one.constants
    }


def _called(column: Column, one: SheetMapping, job: ImportJob) -> list[str]:
    """Return what the column is called, in the format and in the sheet."""
    place = one.columns.get(column.key)
    called = [str(column.label), column.key]
    if place is not None:
        chosen: dict[str, Any] = next(
            (sheet for sheet in job.sheets if sheet["name"] in job.chosen), {}
        )
        called += chosen.get("headers", [])[place : place + 1]
    return called


def _sample(
    column: Column, one: SheetMapping, raw: RawRow, row: SheetRow, called: Sequence[str]
) -> Sample:
    place = one.columns.get(column.key)
    cell = raw.cells[place] if place is not None and place < len(raw.cells) else None
    bad = next((problem for problem in row.bad if problem.column == column.key), None)
    said = wrong_cell(bad.code, bad.params) if bad else ""
    read = _shown(row.values.get(column.key))
    return Sample(raw.number, covered(cell_text(cell), called), covered(read, called), said)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC" if value.tzinfo else cell_text(value)
    return cell_text(str(value))
