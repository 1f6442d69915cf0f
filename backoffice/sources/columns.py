"""The columns of a joined page, and the cells they make.

A cell is a value or "unavailable", never a blank or a 0 that only means "we could not ask"; and a
total over cells of which one is unavailable is no total.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, override

from django.utils.functional import Promise

from backoffice.money import Money
from backoffice.sources.fields import Amount, Field, Row, SpecError, Value

type Shown = Value | tuple[Money, ...]
type Related = Mapping[str, Sequence[Row] | None]


class CellState(StrEnum):
    """Whether the value of a cell is known."""

    VALUE = "value"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands at one place of the table; `value` None says "none", not "unknown"."""

    value: Shown
    state: CellState = CellState.VALUE

    @property
    def known(self) -> bool:
        """Tell whether the value could be asked for."""
        return self.state is CellState.VALUE


UNAVAILABLE = Cell(None, CellState.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields at hand: those of the page's own rows, and those of each lookup."""

    own: Mapping[str, Field]
    related: Mapping[str, Mapping[str, Field]]

    def looked_up(self, lookup: str, name: str) -> Field:
        """Return a field of a lookup; SpecError when there is none."""
        try:
            return self.related[lookup][name]
        except KeyError:
            raise SpecError(f"there is no field {lookup}.{name}") from None


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the page's own rows."""

    name: str
    label: str | Promise = ""

    numeric: ClassVar[bool] = False

    @property
    def lookup(self) -> str:
        """The lookup whose rows the column needs ("" for none)."""
        return ""

    def check(self, shape: Shape) -> None:
        """Raise SpecError for a column whose field does not exist."""
        if self.name not in shape.own:
            raise SpecError(f"there is no field {self.name}")

    def cell(self, own: Row, related: Related) -> Cell:
        """Return the cell for one row; `related` holds None where a lookup gave no answer."""
        if not self.lookup:
            return Cell(own[self.name])
        rows = related[self.lookup]
        return UNAVAILABLE if rows is None else Cell(self.over(rows))

    def over(self, rows: Sequence[Row]) -> Shown:
        """Return the value over the rows of the lookup."""
        raise NotImplementedError

    def total(self, cells: Iterable[Cell]) -> Cell | None:
        """Return the total below the column, None where a total makes no sense."""
        return None


@dataclass(frozen=True, slots=True)
class Count(Column):
    """How many rows a lookup gave; a true 0 for none."""

    numeric: ClassVar[bool] = True

    @property
    @override
    def lookup(self) -> str:
        return self.name

    @override
    def check(self, shape: Shape) -> None:
        if self.name not in shape.related:
            raise SpecError(f"there is no lookup {self.name}")

    @override
    def over(self, rows: Sequence[Row]) -> Shown:
        return len(rows)

    @override
    def total(self, cells: Iterable[Cell]) -> Cell | None:
        values = list(cells)
        if not all(cell.known for cell in values):
            return UNAVAILABLE
        return Cell(sum(cell.value for cell in values if isinstance(cell.value, int)))


@dataclass(frozen=True, slots=True)
class Last(Column):
    """A field ("orders.state") of the row of a lookup that is the latest by the field `by`."""

    by: str = ""

    @property
    @override
    def lookup(self) -> str:
        return self.name.partition(".")[0]

    @property
    def field(self) -> str:
        """The name of the field in the lookup."""
        return self.name.partition(".")[2]

    @override
    def check(self, shape: Shape) -> None:
        shape.looked_up(self.lookup, self.field)
        if shape.looked_up(self.lookup, self.by).optional:
            raise SpecError(f"{self.by} may be missing, so nothing is the last by it")

    @override
    def over(self, rows: Sequence[Row]) -> Shown:
        latest = max(rows, key=lambda row: row[self.by], default=None)  # type: ignore[arg-type, return-value]  # one type a column
        return None if latest is None else latest[self.field]


@dataclass(frozen=True, slots=True)
class Sum(Column):
    """The sum of an amount ("orders.total") over the rows of a lookup, one for each currency."""

    numeric: ClassVar[bool] = True

    @property
    @override
    def lookup(self) -> str:
        return self.name.partition(".")[0]

    @override
    def check(self, shape: Shape) -> None:
        field = shape.looked_up(self.lookup, self.name.partition(".")[2])
        if not isinstance(field, Amount) or field.mask:
            raise SpecError(f"{self.name} is no amount that can be added")

    @override
    def over(self, rows: Sequence[Row]) -> Shown:
        return added(row[self.name.partition(".")[2]] for row in rows)

    @override
    def total(self, cells: Iterable[Cell]) -> Cell | None:
        values = list(cells)
        if not all(cell.known for cell in values):
            return UNAVAILABLE
        parts = [cell.value for cell in values if isinstance(cell.value, tuple)]
        return Cell(added(amount for part in parts for amount in part))


def added(amounts: Iterable[Value]) -> tuple[Money, ...] | None:
    """Return one sum a currency, in the order of their codes; None for no amount at all."""
    sums: dict[str, int] = defaultdict(int)
    for amount in amounts:
        if isinstance(amount, Money):
            sums[amount.currency] += amount.minor
    return tuple(Money(minor, currency) for currency, minor in sorted(sums.items())) or None
