"""Bounds on a file, checked before any library opens it.

A workbook is a zip of XML written by a stranger: 1.7 kB can name a cell in the last row of the
last column and make a reader allocate 17 billion cells; 1 MB can inflate to 1 GB. The modules of
`intake` stream through it in little memory, so the size of the harm never matters. They run in the
child process (`child.py`), as everything does that looks into a file.

While the content passes by, things are noted that the reader would turn into blanks without a
word: cells that hold an error (`#N/A`), formulas whose value was never stored, hidden rows.
"""

from typing import BinaryIO, Literal, Protocol

from backoffice.sheets.intake.bounds import (
    ERROR_CELL,
    MAX_BYTES,
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_ROWS,
    NO_STORED_VALUE,
    letters,
    position,
)


class Source(Protocol):
    """A file that can be opened more than once: a path, or an upload that lies sealed."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Return it, clear, readable from anywhere."""


__all__ = [
    "ERROR_CELL",
    "MAX_BYTES",
    "MAX_CELLS",
    "MAX_COLUMNS",
    "MAX_ROWS",
    "NO_STORED_VALUE",
    "Source",
    "letters",
    "position",
]
