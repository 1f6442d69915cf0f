"""A column of a table: its kind, and how its cells read.

A cell is an int where the kind counts (a number of `scale` decimals, seconds of a date since 1970
without a zone) and a text otherwise. No float is ever kept: sums are exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, Self

from django.utils.dateparse import parse_date
from django.utils.formats import number_format

from backoffice.masking import masks
from backoffice.money import MINUS, Money, exponent

type Cell = int | str | None
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400
ALREADY: Final = "already"
"""The mask of a column whose cells come out of the database as masks."""


class Kind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    WHOLE = "whole"
    DECIMAL = "decimal"
    DATE = "date"
    MONEY = "money"


COUNTED: Final = frozenset({Kind.WHOLE, Kind.DECIMAL, Kind.MONEY})


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `ref` names it in addresses and charts; `index` is its place in its sheet.

    `scale` is the number of decimals of its ints, `currency` that of every amount ("" where each
    amount has its own). `times` says that its dates have a time of day. `mask` names the mask that
    its cells show, "" for a column in clear.
    """

    ref: str
    label: str
    kind: Kind = Kind.TEXT
    index: int = 0
    scale: int = 0
    currency: str = ""
    times: bool = False
    mask: str = ""
    empty: int = 0
    errors: int = 0
    totals: Mapping[str, int] = field(default_factory=dict)

    @property
    def counted(self) -> bool:
        """Whether its cells add up."""
        return self.kind in COUNTED

    @property
    def sortable(self) -> bool:
        """Whether rows may be ordered by it: the order of hidden values tells of them."""
        return not self.mask

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        names = ("label", "index", "scale", "currency", "times", "mask", "empty", "errors")
        return {
            "kind": self.kind.value,
            "totals": dict(self.totals),
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the column of a sheet that `as_json` gave away."""
        return cls(**{**values, "ref": f"c{values['index']}", "kind": Kind(values["kind"])})

    def among(self, ref: str = "") -> Self:
        """Return the column of some rows, by another ref; the totals of all rows go."""
        return replace(self, ref=ref or self.ref, totals={})

    def shown(self, cell: Cell, currency: str = "") -> str:
        """Return a cell as people read it: the mask of a masked one, "" of an empty one."""
        if cell is None or cell == "":
            return ""
        if isinstance(cell, str):
            return hidden(self.mask, cell) if self.mask else cell
        if self.kind is Kind.DATE:
            return self._date(cell)
        return amount(cell, self.scale, currency or self.currency)

    def plain(self, cell: Cell) -> Any:
        """Return a cell as a file holds it: exact numbers, ISO dates, masks."""
        if cell is None or cell == "":
            return ""
        if isinstance(cell, str):
            return self.shown(cell)
        if self.kind is Kind.DATE:
            return moment(cell).replace(tzinfo=None) if self.times else moment(cell).date()
        return cell if not self.scale else Decimal(cell).scaleb(-self.scale)

    def parse(self, text: str) -> int:
        """Return what a person typed as a cell of this kind. Raises ValueError."""
        if self.kind is Kind.DATE:
            day = parse_date(text.strip()[:10])
            if day is None:
                raise ValueError(text)
            return (day - EPOCH.date()).days * DAY
        try:
            scaled = Decimal(text.replace(",", "").replace(MINUS, "-").strip()).scaleb(self.scale)
            whole = scaled.to_integral_value()
        except InvalidOperation as error:
            raise ValueError(text) from error
        if not scaled.is_finite() or scaled != whole:
            raise ValueError(text)
        return int(whole)

    def _date(self, cell: int) -> str:
        when = moment(cell)
        text = f"{when.day} {when:%b %Y}"
        return f"{text} {when:%H:%M}" if self.times else text


def moment(seconds: int) -> datetime:
    """Return the time of a date cell; its zone stands for none."""
    return EPOCH + timedelta(seconds=seconds)


def hidden(mask: str, clear: str) -> str:
    """Return the mask of a text; one that came out of the database as a mask stays as it is."""
    if mask == ALREADY:
        return clear
    return str(getattr(masks, mask)(clear))


def amount(number: int, scale: int, currency: str = "") -> str:
    """Return an exact number as text; with a currency as money ("£2.50", "£0.1234")."""
    if not currency:
        text = number_format(Decimal(abs(number)).scaleb(-scale), scale, force_grouping=True)
        return f"{MINUS}{text}" if number < 0 else text
    more = scale - exponent(currency)
    minor, rest = divmod(abs(number), 10**more) if more > 0 else (abs(number) * 10**-more, 0)
    sign = MINUS if number < 0 else ""
    if not rest:
        return f"{sign}{Money(minor, currency)}"
    ending = str(rest).zfill(more).rstrip("0")
    whole = str(Money(minor, currency))
    return f"{sign}{whole}{'' if exponent(currency) else '.'}{ending}"
