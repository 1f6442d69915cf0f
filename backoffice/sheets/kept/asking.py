"""What somebody wants to see of a table: filters, order, a page, and the totals below."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets.kept.columns import DAY, Cell, Column, Kind, amount
from backoffice.sheets.kept.frames import Frame
from backoffice.sheets.kept.vault import Cells

PAGE: Final = 50
# Cells: rows in an order of theirs lie in all blocks, each of which is opened for every part.
_AT_ONCE: Final = 200_000
_LONGEST: Final = 200
MOST_FILTERS: Final = 8
HOWS: Final[dict[str, str | Promise]] = {
    "is": gettext_lazy("is"),
    "has": gettext_lazy("contains"),
    "from": gettext_lazy("from"),
    "to": gettext_lazy("to"),
    "empty": gettext_lazy("is empty"),
    "filled": gettext_lazy("is filled"),
    "in": gettext_lazy("is in"),
}
_BARE: Final = frozenset({"empty", "filled"})


class BadFilterError(ValueError):
    """A filter that the column does not have, or whose value is none of its kind."""


def hows(column: Column) -> list[str]:
    """Return how rows may be filtered by a column. Hidden values answer to nothing."""
    if column.mask:
        return ["filled", "empty"]
    if column.kind is Kind.TEXT:
        return ["is", "has", "filled", "empty"]
    names = ["is", "from", "to", "filled", "empty"]
    return [*names, "in"] if column.kind is Kind.MONEY else names


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition, as the address has it: "c3:from:12.50"."""

    ref: str
    how: str
    value: str = ""

    @classmethod
    def of(cls, text: str) -> "Filter":
        """Return the filter of a text of an address. Raises BadFilterError."""
        ref, mark, rest = text.partition(":")
        how, _colon, value = rest.partition(":")
        if not mark or how not in HOWS or len(value) > _LONGEST:
            raise BadFilterError(text)
        return cls(ref, how, "" if how in _BARE else value)

    def __str__(self) -> str:
        return f"{self.ref}:{self.how}:{self.value}" if self.value else f"{self.ref}:{self.how}"

    def told(self, frame: Frame) -> str:
        """Return the filter in words."""
        label = frame.column(self.ref).label
        return f"{label} {HOWS[self.how]} {self.value}".strip()

    def test(self, column: Column) -> Callable[[Cell], bool]:
        """Return what tells of a filled cell whether it fits. Raises BadFilterError."""
        if self.how == "has":
            part = self.value.casefold()
            return lambda cell: part in str(cell).casefold()
        if column.kind is Kind.TEXT:
            return self.value.__eq__
        try:
            low = column.parse(self.value)
        except ValueError:
            raise BadFilterError(str(self)) from None
        width = DAY if column.kind is Kind.DATE else 1
        if self.how == "from":
            return low.__le__  # type: ignore[return-value]
        if self.how == "to":
            return (low + width).__gt__  # type: ignore[return-value]
        return lambda cell: low <= cell < low + width  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters, the ref to sort by ("-c2" descending), and the first row of the page, from 0."""

    filters: tuple[Filter, ...] = ()
    sort: str = ""
    start: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that fit, in the order that was asked for."""

    frame: Frame
    wanted: Wanted
    places: Sequence[int]

    @property
    def size(self) -> int:
        """How many rows fit."""
        return len(self.places)

    def page(self) -> list[list[str]]:
        """Return the rows of the page as people read them: masked cells as masks."""
        return shown(self.frame, self.places[self.wanted.start : self.wanted.start + PAGE])

    def lines(self) -> Iterator[list[object]]:
        """Yield all rows as a file holds them; masked cells as masks."""
        columns = self.frame.columns
        some = _AT_ONCE // max(len(columns), 1) + 1
        for start in range(0, self.size, some):
            for row in self.frame.rows(self.places[start : start + some]):
                yield [_plain(column, *cell) for column, cell in zip(columns, row, strict=True)]

    def totals(self) -> dict[str, list[str]]:
        """Return ref -> the exact sums of a number column in words, one for each currency."""
        counted = [column for column in self.frame.columns if column.counted]
        return {column.ref: _told(column, self._sums(column)) for column in counted}

    def _sums(self, column: Column) -> dict[str, int]:
        if not self.wanted.filters and column.totals:
            return dict(column.totals)
        cells = self.frame.cells(column.ref)
        if self.size < len(cells) and cells.currency is None:
            return {column.currency: sum(map(cells.data.__getitem__, self.places))}
        if self.size < len(cells):
            cells = cells.taken(self.places)
        return sums(cells, column.currency)


def shown(frame: Frame, places: Sequence[int]) -> list[list[str]]:
    """Return rows as people read them: masked cells as masks."""
    return [
        [column.shown(*cell) for column, cell in zip(frame.columns, row, strict=True)]
        for row in frame.rows(places)
    ]


def _plain(column: Column, cell: Cell, currency: str) -> object:
    """Return a cell for a file; an amount of a column of several currencies says its own."""
    return column.shown(cell, currency) if currency else column.plain(cell)


def sums(cells: Cells, currency: str) -> dict[str, int]:
    """Return the exact sum of numbers by currency."""
    if cells.currency is None:
        return {currency: sum(cells.data)}
    result: dict[str, int] = {}
    for number, code, empty in zip(cells.data, cells.currency, cells.empty, strict=True):
        if not empty:
            result[code] = result.get(code, 0) + int(number)
    return result


def _told(column: Column, found: dict[str, int]) -> list[str]:
    return [amount(number, column.scale, code) for code, number in found.items()]


def ask(frame: Frame, wanted: Wanted) -> Found:
    """Return the rows that fit. Raises BadFilterError, also for a column to sort by."""
    flags = _fitting(frame, wanted.filters)
    places: Sequence[int] = range(frame.size)
    if wanted.sort:
        places = _ordered(frame, wanted.sort)
    if flags is not None:
        sorted_flags = map(flags.__getitem__, places) if wanted.sort else flags
        places = list(compress(places, sorted_flags))
    return Found(frame, wanted, places)


def _ordered(frame: Frame, sort: str) -> Sequence[int]:
    try:
        places = frame.order(sort.removeprefix("-"))
    except LookupError:
        raise BadFilterError(sort) from None
    return places[::-1] if sort.startswith("-") else places


def _fitting(frame: Frame, filters: Iterable[Filter]) -> bytes | None:
    """Return a 1 for each row that all filters let through; None without filters."""
    flags: bytes | None = None
    for one in filters:
        try:
            column = frame.column(one.ref)
        except LookupError:
            raise BadFilterError(str(one)) from None
        if one.how not in hows(column):
            raise BadFilterError(str(one))
        more = _flags(frame, one, column)
        both = int.from_bytes(more) & int.from_bytes(flags) if flags is not None else 0
        flags = more if flags is None else both.to_bytes(len(more))
    return flags


def _flags(frame: Frame, one: Filter, column: Column) -> bytes:
    if one.how not in {"empty", "filled", "in"}:
        return frame.flags(one.ref, one.test(column))
    cells = frame.cells(one.ref)
    if one.how == "empty":
        return bytes(cells.empty)
    if one.how == "filled":
        return bytes(not gap for gap in cells.empty)
    codes = cells.currency or [column.currency] * len(cells)
    return bytes(code == one.value for code in codes)


def told(frame: Frame, filters: Iterable[Filter]) -> str:
    """Return the filters in words, for the record; typed words are left out."""
    return ", ".join(
        _("%(column)s %(how)s") % {"column": frame.column(one.ref).label, "how": HOWS[one.how]}
        for one in filters
    )
