"""Which column of a sheet is which column of a format: proposed by the headers, changeable."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from backoffice.sheets import cells
from backoffice.sheets.formats import Column, Format
from backoffice.sheets.guard import letters
from backoffice.sheets.reader import Outline, RawRow

HEADER_ROWS: Final = 20
"""The header is looked for in so many filled rows from the top."""
_MARKS: Final = re.compile(r"[\W_]+")


@dataclass(slots=True)
class SheetMapping:
    """The header's row number and, for each column key, the index from 0 of the sheet's column."""

    header_row: int
    columns: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"header_row": self.header_row, "columns": self.columns}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the mapping that `as_json` gave away."""
        return cls(values["header_row"], dict(values["columns"]))

    def missing(self, form: Format) -> list[Column]:
        """Return the columns that the format cannot do without."""
        return [
            column
            for column in form.columns
            if column.key not in self.columns and not column.may_be_empty
        ]


def headers(row: RawRow) -> list[str]:
    """Return the texts of a header row by position; "" where there is none."""
    return [
        cells.text(cell) if isinstance(cell, str | int | float) and not cells.is_empty(cell) else ""
        for cell in row.cells
    ]


def shown(names: Sequence[str]) -> list[str]:
    """Return what people read: the letter, and the header where there is one ("C · Price")."""
    return [
        f"{letters(index)} · {name}" if name else letters(index)
        for index, name in enumerate(names, 1)
    ]


def propose(sheet: Outline, form: Format) -> SheetMapping | None:
    """Return the mapping by the row that names most columns; None when no row names two."""
    best: SheetMapping | None = None
    for row in sheet.head[:HEADER_ROWS]:
        found = match(headers(row), form)
        if len(found) >= 2 and (best is None or len(found) > len(best.columns)):  # noqa: PLR2004
            best = SheetMapping(row.number, found)
    return best


def recognise(sheet: Outline, choices: Sequence[Format]) -> tuple[Format, SheetMapping] | None:
    """Return the format that knows most of the sheet's columns, with the mapping."""
    found = [(form, propose(sheet, form)) for form in choices]
    known = [(form, one) for form, one in found if one is not None]
    return max(known, key=lambda pair: len(pair[1].columns), default=None)


def match(names: Sequence[str], form: Format) -> dict[str, int]:
    """Return column key -> index, only where exactly one header can be meant."""
    plain = [_plain(name) for name in names]
    often = Counter(plain)
    result: dict[str, int] = {}
    for column in form.columns:
        wanted = {_plain(str(column.label)), *(_plain(alias) for alias in column.aliases)}
        places = [index for index, name in enumerate(plain) if name in wanted and often[name] == 1]
        if len(places) == 1:
            result[column.key] = places[0]
    return result


def _plain(name: str) -> str:
    return _MARKS.sub("", name).casefold()
