"""Texts that get lost or run in other people's exports."""

from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from backoffice.sheets.reading import reader
from backoffice.sheets.reading.dialects import Dialect

# Our csv says what it is; a guess is for files of others.
OURS: Final = Dialect(encoding="utf-8-sig", delimiter=",", quote='"')
HOSTILE: Final = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "=cmd|'/c calc'!A0",
    "'",
    "''",
    "'=1",
    "''=1",
    "'plain",
    "00123",
    "123456789012345678901234567890",
    "1e5",
    "TRUE",
    "a\r\nb\rc\nd",
    ' "quoted", and; more\t',
    " leading",
    "trailing ",
    "_x000D_",
    "_x005F_x000D_",
    "_x0041_",
    "__x0041__",
    "<b>&amp;</b>",
    "]]>",
    "\N{GRINNING FACE}\u0301\u200f",
    "\x85a\u2028",
    "a\ufeffmark",
]
_STARTS = st.sampled_from(["", "'", "=", "+", "-", "@", "\t", "\r", "\n", "_x0041", "_x00", "0"])


def texts(*, without: str = "") -> st.SearchStrategy[str]:
    """Return texts that begin badly and go on with anything; not of white space alone.

    An import takes a cell of white space for an empty one.
    """
    letters = st.characters(exclude_categories=["Cs"], exclude_characters=f"\0{without}")
    return st.builds(str.__add__, _STARTS, st.text(letters, max_size=12)).filter(str.strip)


def read_rows(folder: Path, content: bytes, dialect: Any = None) -> list[tuple[Any, ...]]:
    """Return the rows of a file as an import reads them."""
    path = folder / "file"
    path.write_bytes(content)
    return [row.cells for row in reader.rows(path, dialect=dialect)]
