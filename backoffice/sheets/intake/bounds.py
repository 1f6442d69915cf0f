"""Bounds on a file, the refusal, and what is noted of its sheets while it is measured."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NoReturn

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_MEMBERS: Final = 2000
MAX_INFLATED: Final = 1200 * 1024 * 1024
MAX_MEMBER: Final = 1024 * 1024 * 1024
MAX_RATIO: Final = 200
"""Inflated bytes per stored byte; XML of real sheets reaches 10 to 50."""
RATIO_FLOOR: Final = 10 * 1024 * 1024
"""Below this inflated size a high ratio does no harm."""
MAX_ROWS: Final = 1_100_000
MAX_COLUMNS: Final = 2000
MAX_CELLS: Final = 12_000_000
"""Cells of the rectangle that a sheet spans; the library holds all of it, 32 bytes each."""
EXTENT: Final = {"rows": MAX_ROWS, "columns": MAX_COLUMNS, "cells": MAX_CELLS}
MAX_SHEETS: Final = 500
MAX_NOTES: Final = 10_000
"""Error cells remembered in one sheet."""
LONGEST_RUN: Final = 2 * 1024 * 1024
"""Bytes without a "<" in a part: the longest text that a cell may hold is 32,767 characters."""
ERROR_CELL: Final = "error-cell"
NO_STORED_VALUE: Final = "no-stored-value"
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")


class RefusedError(Exception):
    """The file is refused; `code` and `params` are put into words on the other side."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


@dataclass(slots=True)
class SheetNotes:
    """What was seen of one sheet: its extent, and cells (row, column from 1) that hold no value.

    `hidden_rows` are rows with content that the program does not show, `filtered` whether a filter
    hides them.
    """

    rows: int = 0
    columns: int = 0
    hidden: str = ""
    hidden_rows: int = 0
    filtered: bool = False
    errors: dict[tuple[int, int], str] = field(default_factory=dict)

    def extend(self, row: int, column: int) -> None:
        """Take a cell with content into the extent; RefusedError beyond what can be held."""
        if row > self.rows or column > self.columns:
            self.rows = max(self.rows, row)
            self.columns = max(self.columns, column)
            if (
                self.rows > MAX_ROWS
                or self.columns > MAX_COLUMNS
                or self.rows * self.columns > MAX_CELLS
            ):
                refuse("extent", **EXTENT)

    def mark(self, row: int, column: int, code: str) -> None:
        """Remember a cell without a value."""
        if len(self.errors) < MAX_NOTES:
            self.errors.setdefault((row, column), code)


@dataclass(slots=True)
class Inspection:
    """The kind of a file by its content, and for a workbook notes by sheet name."""

    kind: str
    sheets: dict[str, SheetNotes] = field(default_factory=dict)
    macros: bool = False
    guess: dict[str, Any] = field(default_factory=dict)
    """Of a text: how it is written (`texts.guess`)."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values without the cells."""
        sheets = {
            name: asdict(notes) | {"errors": len(notes.errors)}
            for name, notes in self.sheets.items()
        }
        return {"kind": self.kind, "macros": self.macros, "sheets": sheets, "guess": self.guess}


def refuse(code: str, **params: Any) -> NoReturn:
    """Raise RefusedError, without what led to it."""
    raise RefusedError(code, **params) from None


def position(reference: str) -> tuple[int, int]:
    """Return (row, column), both from 1, of a reference like "AB12"; RefusedError if it is none."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        refuse("bad-address")
    return int(match[2]), column_number(match[1])


def column_number(name: str) -> int:
    """Return 28 for "AB"."""
    column = 0
    for letter in name:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column


def letters(column: int) -> str:
    """Return the letters of a column counted from 1 (28 -> "AB")."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
