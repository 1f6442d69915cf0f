"""From a cell to a typed value, with one strict rule per kind of column."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from backoffice.sheets.reading.reader import CellError, Value


class CellProblemError(ValueError):
    """A cell does not hold what its column asks for; `code` is a code of `problems`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


_SPACES: Final = re.compile(r"\s+")
_WHOLE_WITH_POINT: Final = re.compile(r"(\d+)\.0+")
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_MINUS: Final = str.maketrans({"\N{MINUS SIGN}": "-", "\N{NO-BREAK SPACE}": None})
_LARGEST: Final = 2**31 - 1


def is_empty(value: Value) -> bool:
    """Whether the cell holds nothing, or only white space."""
    return value is None or (isinstance(value, str) and not value.strip())


def code(value: Value) -> str:
    """Return an identity as text: 12437, 12437.0 and "12437.0" are "12437", zeros stay."""
    plain = _readable(value)
    if isinstance(plain, str):
        stripped = _SPACES.sub(" ", plain.strip())
        match = _WHOLE_WITH_POINT.fullmatch(stripped)
        return match[1] if match else stripped
    if isinstance(plain, bool | datetime):
        raise CellProblemError("odd-type")
    return str(int(plain)) if plain == int(plain) else repr(plain)


def text(value: Value) -> str:
    """Return the text with single spaces; a number is written as it stands."""
    plain = _readable(value)
    return _SPACES.sub(" ", str(plain).strip())


def whole(value: Value) -> int:
    """Return a whole number of at most 31 bits."""
    number = decimal(value, problem="not-whole")
    if number != number.to_integral_value():
        raise CellProblemError("not-whole")
    if abs(number) > _LARGEST:
        raise CellProblemError("out-of-range")
    return int(number)


def decimal(value: Value, *, problem: str = "not-number") -> Decimal:
    """Return the number exactly as the cell shows it (2.95, not 2.9500000000000002)."""
    plain = _readable(value)
    if isinstance(plain, bool | datetime):
        raise CellProblemError(problem)
    written = plain.translate(_MINUS).strip() if isinstance(plain, str) else repr(plain)
    if _GROUPED.fullmatch(written):
        written = written.replace(",", "")
    try:
        number = Decimal(written)
    except InvalidOperation:
        raise CellProblemError(problem) from None
    if not number.is_finite():
        raise CellProblemError(problem)
    return number


def moment(zone: str) -> Callable[[Value], datetime]:
    """Return a reader of local times in `zone` that gives UTC.

    Of the two meanings of a time in the hour that autumn repeats, the first is taken.
    """
    local = ZoneInfo(zone)

    def read(value: Value) -> datetime:
        plain = _readable(value)
        if isinstance(plain, str):
            plain = _from_text(plain)
        if not isinstance(plain, datetime):
            raise CellProblemError("not-date")
        try:
            return plain.replace(tzinfo=plain.tzinfo or local).astimezone(UTC)
        except OverflowError:
            raise CellProblemError("not-date") from None

    return read


def _from_text(written: str) -> datetime:
    """Read ISO 8601 only: 03/04/2011 is two different days in two countries."""
    try:
        if len(written.strip()) == len("2011-12-09"):
            return datetime.combine(date.fromisoformat(written.strip()), datetime.min.time())
        return datetime.fromisoformat(written.strip())
    except ValueError:
        raise CellProblemError("not-date") from None


def _readable(value: Value) -> str | int | float | bool | datetime:
    if isinstance(value, CellError):
        raise CellProblemError(value.code)
    if value is None or is_empty(value):
        raise CellProblemError("empty")
    return value


Reader = Callable[[Value], Any]
