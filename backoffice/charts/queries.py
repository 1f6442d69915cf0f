"""Reads a chart for one person: rows by currency, links to the lists, a table beside the plot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.formats import number_format

from backoffice import policy
from backoffice.charts.registry import Chart, Kind, Row, Scope
from backoffice.money import MINUS, Money, exponent

if TYPE_CHECKING:
    from backoffice.accounts.models import User

COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6")
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A row ready to be shown: `text` exact, `brief` in whole units, `share` of its panel."""

    row: Row
    url: str
    colour: str
    text: str
    brief: str
    share: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table beside a chart: a label and one mark (or none) for each series."""

    label: str
    cells: list[Mark | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """All marks of one currency: what is drawn as one plot, since currencies never add up."""

    chart: Chart
    currency: str
    marks: list[Mark]

    @property
    def series(self) -> list[str]:
        """The names of the series, in order of appearance."""
        return list(dict.fromkeys(mark.row.series for mark in self.marks))

    @property
    def labels(self) -> list[str]:
        """The labels, in order of appearance."""
        return list(dict.fromkeys(mark.row.label for mark in self.marks))

    @property
    def legend(self) -> list[Mark]:
        """One mark of each series, for its name and colour."""
        return list({mark.row.series: mark for mark in self.marks}.values())

    @property
    def total(self) -> str:
        """The sum of all marks, as text."""
        places = self.marks[0].row.places if self.marks else None
        return exact(sum(mark.row.minor for mark in self.marks), self.currency, places)

    @property
    def table(self) -> list[Line]:
        """The same marks as lines of a table, one column a series."""
        found = {(mark.row.label, mark.row.series): mark for mark in self.marks}
        return [
            Line(label, [found.get((label, series)) for series in self.series])
            for label in self.labels
        ]


def read(chart: Chart, scope: Scope) -> list[Panel]:
    """Ask `chart` for the person of `scope` and return one panel a currency, in order of rows.

    Raises PermissionDenied when that person may not see the chart.
    """
    if not chart.allowed(scope.user):
        raise PermissionDenied
    rows = [_row(row) for row in chart.ask(scope)]
    lists = {model: _address(chart, model, scope.user) for model in _lists(chart, rows)}
    return panels(chart, rows, lists)


def panels(
    chart: Chart, rows: list[Row], lists: Mapping[type[Model], str] | None = None
) -> list[Panel]:
    """Return one panel a currency, in order of rows; `lists` are the addresses of lists behind."""
    return [
        _panel(chart, currency, [row for row in rows if row.currency == currency], lists or {})
        for currency in dict.fromkeys(row.currency for row in rows)
    ]


def with_url(mark: Mark, url: str) -> Mark:
    """Return the mark with the address that it opens."""
    return replace(mark, url=url)


def exact(minor: int, currency: str, places: int | None = None) -> str:
    """Return the amount as text ("£22.71"), or the plain number when there is no currency.

    `places` is the number of its decimals, where that is not the currency's.
    """
    own = exponent(currency) if currency else 0
    if places is not None and places > own:
        number = number_format(Decimal(abs(minor)).scaleb(-places), places, force_grouping=True)
        return f"{MINUS if minor < 0 else ''}{unit(currency)}{number}"
    minor *= 10 ** (own - (own if places is None else places))
    return str(Money(minor, currency)) if currency else whole(minor)


def unit(currency: str) -> str:
    """What stands before a number of this currency: a sign, or the code and a space."""
    if not currency:
        return ""
    return str(Money(0, currency)).removesuffix(f"{0:.{exponent(currency)}f}")


def brief(minor: int, currency: str, places: int | None = None) -> str:
    """Return the amount in whole units ("£23"), rounded half away from zero."""
    amount = major(minor, currency, places)
    rounded = amount.quantize(Decimal(1), rounding=ROUND_HALF_UP)
    if not currency:
        return whole(int(rounded))
    return str(Money.of(rounded, currency)).removesuffix("." + "0" * exponent(currency))


def major(minor: int, currency: str, places: int | None = None) -> Decimal:
    """Return the exact amount in major units."""
    own = exponent(currency) if currency else 0
    return Decimal(minor).scaleb(-(own if places is None else places))


def whole(number: int) -> str:
    """Return a count with its thousands marked ("1,284")."""
    return number_format(number, force_grouping=True)


def percent(part: int, total: int) -> str:
    """Return the share as text with one decimal ("3.7 %"); "" when the total is not positive."""
    if total <= 0:
        return ""
    share = (Decimal(100) * part / total).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
    return f"{number_format(share, 1)}{NARROW_SPACE}%"


def _row(row: Row | tuple[str, str, int]) -> Row:
    return row if isinstance(row, Row) else Row(str(row[0]), row[1], row[2])


def _lists(chart: Chart, rows: list[Row]) -> set[type[Model]]:
    return {model for row in rows if (model := row.drill or chart.drill)}


def _panel(chart: Chart, currency: str, rows: list[Row], lists: Mapping[type[Model], str]) -> Panel:
    total = sum(row.minor for row in rows)
    colours = _colours(chart, rows)
    marks = [
        Mark(
            row=row,
            url=_url(lists.get(model, "") if (model := row.drill or chart.drill) else "", row),
            colour=colour,
            text=exact(row.minor, currency, row.places),
            brief=brief(row.minor, currency, row.places),
            share=percent(row.minor, total),
        )
        for row, colour in zip(rows, colours, strict=True)
    ]
    return Panel(chart, currency, marks)


def _colours(chart: Chart, rows: list[Row]) -> Iterable[str]:
    """A colour a part in a ring, else a colour a series."""
    if chart.kind is Kind.PIE:
        return [COLOURS[i % len(COLOURS)] for i in range(len(rows))]
    series = list(dict.fromkeys(row.series for row in rows))
    return [_series_colour(series.index(row.series), len(series)) for row in rows]


def _series_colour(index: int, count: int) -> str:
    """Of two series the first is what the second is compared with: grey."""
    return COLOURS[index - 1] if count == 2 else COLOURS[index % len(COLOURS)]  # noqa: PLR2004


def _url(address: str, row: Row) -> str:
    return f"{address}?{urlencode(row.query)}" if address and row.query else ""


def _address(chart: Chart, model: type[Model], user: "User") -> str:
    """The page of the list of `model`; nothing where the person may not open it."""
    if not policy.may(user, "view", model).allowed:
        return ""
    meta = model._meta
    try:
        return reverse(f"{chart.site}:{meta.app_label}_{meta.model_name}_changelist")
    except NoReverseMatch:
        return ""
