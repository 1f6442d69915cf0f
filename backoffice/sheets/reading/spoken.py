"""Numbers and dates of a csv file, as its dialect writes them, put into the one plain way.

Readers of columns (`cells`, a Resource's widgets) know one way to write a number and a date: 1234.5
and 2011-12-09. What a dialect writes otherwise is rewritten before they see it; what it cannot mean
is a problem of the cell, never another number.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from backoffice.sheets.reading.reader import CellError, Value

if TYPE_CHECKING:
    from backoffice.sheets.reading.dialects import Dialect

NUMBER: Final = "number"
DATE: Final = "date"
_PROBES: Final = (
    ("1", (int, float, Decimal), NUMBER),
    ("0.5", (int, float, Decimal), NUMBER),
    ("2011-12-09", (date,), DATE),
)
_BLANKS: Final = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " "})
_MINUS: Final = str.maketrans({"\N{MINUS SIGN}": "-"})
_WHEN: Final = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})"
    r"(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)? ?([AaPp][Mm])?)?"
)
_YEAR_DIGITS: Final = 4
_SHORT_DIGITS: Final = 2
_CENTURY_TURNS: Final = 69
"""Years of two digits: 69 to 99 are of the last century, as POSIX has it."""
_NOON: Final = 12
_ORDERS: Final = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2), "iso": (0, 1, 2)}
Say = Callable[[Value], Value]


def kind_of(read: Callable[[Value], Any]) -> str:
    """Return NUMBER or DATE for the reader of a column, "" for any other: it is tried out."""
    for probe, kinds, kind in _PROBES:
        try:
            result = read(probe)
        except Exception:  # noqa: BLE001, S112 - a reader may refuse in its own way
            continue
        if isinstance(result, kinds) and not isinstance(result, bool):
            return kind
    return ""


def saying(read: Callable[[Value], Any], dialect: "Dialect | None") -> Say | None:
    """Return what rewrites the cells of a column; None where nothing has to be."""
    if dialect is None:
        return None
    kind = kind_of(read)
    if kind == NUMBER and (dialect.decimal, dialect.thousands) != (".", ""):
        return _numbers(dialect)
    if kind == DATE:
        return _dates(dialect)
    return None


def _numbers(dialect: "Dialect") -> Say:
    mark = re.escape(dialect.decimal)
    group = re.escape(dialect.thousands) if dialect.thousands else "(?!)"
    written = re.compile(rf"([+-]?)(\d{{1,3}}(?:{group}\d{{3}})+|\d*)(?:{mark}(\d+))?")

    def say(value: Value) -> Value:
        if not isinstance(value, str) or not value.strip():
            return value
        text = value.translate(_BLANKS).translate(_MINUS).strip()
        match = written.fullmatch(text)
        if match is None or not (match[2] or match[3]):
            # A word may mean something to the reader; figures must not mean something else.
            return CellError("not-number", value) if any(map(str.isdigit, text)) else value
        whole = match[2].replace(dialect.thousands, "") if dialect.thousands else match[2]
        return f"{match[1]}{whole or '0'}" + (f".{match[3]}" if match[3] else "")

    return say


def _dates(dialect: "Dialect") -> Say:
    order = dialect.dates

    def say(value: Value) -> Value:
        match = _WHEN.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            return value
        when = _moment(match, order)
        if when is None:
            return CellError("not-date", str(value))
        timed = match[5] is not None
        return when.isoformat(" ") if timed else when.date().isoformat()

    return say


def _moment(match: re.Match[str], order: str) -> datetime | None:
    parts = (match[1], match[3], match[4])
    first = len(match[1]) == _YEAR_DIGITS
    if order == "iso" and not first:
        return None
    year, month, day = (parts[place] for place in _ORDERS["iso" if first else order])
    if len(year) not in {_SHORT_DIGITS, _YEAR_DIGITS}:
        return None
    try:
        time = (_hour(match), int(match[6] or 0), int(match[7] or 0))
        return datetime(_year(year), int(month), int(day), *time)  # noqa: DTZ001 - a text has none
    except ValueError:
        return None


def _year(text: str) -> int:
    number = int(text)
    if len(text) == _YEAR_DIGITS:
        return number
    return number + (1900 if number >= _CENTURY_TURNS else 2000)


def _hour(match: re.Match[str]) -> int:
    hour = int(match[5] or 0)
    half = (match[8] or "").lower()
    if not half:
        return hour
    return hour % _NOON + (_NOON if half == "pm" else 0)
