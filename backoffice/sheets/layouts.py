"""What is noted of the sheets of an upload, and which mappings are proposed for them."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

from backoffice.sheets import mapping
from backoffice.sheets.formats import Format
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob
from backoffice.sheets.problems import quote
from backoffice.sheets.reading.reader import Outline, RawRow

LONGEST_HEADER: Final = 60
_WIDE: Final = 3


def propose(job: ImportJob, sheets: Sequence[Outline], choices: Sequence[Format]) -> None:
    """Note the sheets in `job`, with the format that knows most columns and a mapping for each.

    Visible sheets that are recognised are chosen; hidden ones never by themselves.
    """
    found = {sheet.name: mapping.recognise(sheet, choices) for sheet in sheets}
    known = [pair for pair in found.values() if pair is not None]
    form = max(known, key=lambda pair: len(pair[1].columns))[0] if known else None
    job.format = form.key if form else (choices[0].key if choices else "")
    proposals = {sheet.name: mapping.propose(sheet, form) if form else None for sheet in sheets}
    note(job, sheets, {name: one for name, one in proposals.items() if one is not None})


def note(job: ImportJob, sheets: Sequence[Outline], maps: dict[str, SheetMapping]) -> None:
    """Note the sheets in `job`; those that `maps` reads and that are visible are chosen."""
    job.sheets = [described(sheet, maps.get(sheet.name)) for sheet in sheets]
    job.mapping = {name: one.as_json() for name, one in maps.items()}
    job.chosen = [sheet.name for sheet in sheets if sheet.name in maps and not sheet.hidden]


def described(sheet: Outline, proposal: SheetMapping | None) -> dict[str, Any]:
    """Return what the pages show of a sheet: extent and headers, never rows of data."""
    number = proposal.header_row if proposal else mapping.usual_header(sheet)
    count = proposal.header_rows if proposal else 1
    return {
        "name": sheet.name,
        "hidden": sheet.hidden,
        "filled": sheet.rows,
        "columns": sheet.columns,
        "errors": sheet.errors,
        "recognised": proposal is not None,
        **headed(sheet.head, number, count, sheet.rows, sheet.columns, sure=proposal is not None),
    }


def headed(
    head: Sequence[RawRow], number: int, count: int, filled: int, columns: int, *, sure: bool
) -> dict[str, Any]:
    """Return what follows from the header's place: its texts, rows above it and below it.

    Texts of a row that nobody said is the header (`sure`) may be anybody's data.
    """
    names = mapping.joined(head, number, count)
    names += [""] * (columns - len(names))
    above = sum(1 for row in head if row.number <= number - count)
    upto = sum(1 for row in head if row.number <= number)
    return {
        "header_row": number,
        "header_rows": count,
        "above": above,
        "notes_below": _notes_below(head, number, filled, columns) if sure else 0,
        "rows": max(filled - upto, 0) if sure else filled,
        "headers": [
            mapping.harmless(name[:LONGEST_HEADER]) if sure else quote(name) for name in names
        ],
    }


def _notes_below(head: Sequence[RawRow], number: int, filled: int, columns: int) -> int:
    """Return how many rows at the end of a short sheet hold a text or two and nothing else.

    Only where all rows are among the first ones: the end of a long sheet is not known yet.
    """
    if columns < _WIDE or filled > len(head):
        return 0
    below = [row for row in head if row.number > number]
    notes = takewhile(lambda row: _is_note(row, columns), reversed(below))
    return sum(1 for _row in notes)


def _is_note(row: RawRow, columns: int) -> bool:
    """Whether at most a third of the cells is filled, with nothing but texts."""
    filled = [cell for cell in row.cells if cell is not None and cell != ""]
    return len(filled) <= columns // _WIDE and all(isinstance(cell, str) for cell in filled)
