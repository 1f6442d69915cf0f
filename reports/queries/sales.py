"""What the business sold: the one definition behind every number, chart and list of reports.

Revenue is the total of orders that are not cancelled: their lines and charges, before returns and
refunds. So the amounts of the Orders list under the same filter add up to the mark of a chart.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, QuerySet, Sum

from backoffice.charts.periods import Month, bucket, months, within
from backoffice.charts.registry import Scope
from orders.models import Charge, Order, OrderLine, Return
from orders.queries import COUNTED
from reports.queries import periods
from reports.queries.periods import Period

MAX_MONTHS = 48


@dataclass(frozen=True, slots=True)
class Sales:
    """What one month (or one period) brought in one currency; `minor` in minor units."""

    minor: int = 0
    orders: int = 0

    def __add__(self, other: "Sales") -> "Sales":
        return Sales(self.minor + other.minor, self.orders + other.orders)


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last moment at which an order was placed."""

    first: datetime
    last: datetime


Monthly = dict[str, dict[Month, Sales]]


def counted(scope: Scope) -> QuerySet[Order]:
    """Return the orders that revenue is made of."""
    return scope(Order).filter(status__in=COUNTED)


def span(scope: Scope) -> Span | None:
    """Return when the oldest and the newest counted order were placed; None without orders."""
    found = counted(scope).aggregate(first=Min("placed_at"), last=Max("placed_at"))
    return Span(found["first"], found["last"]) if found["first"] else None


def period(scope: Scope) -> Period | None:
    """Return the period that the page shows: the one chosen, else the newest full year."""
    reach = scope.once(span)
    if reach is None:
        return None
    chosen = periods.parse(scope.options.get("until", ""))
    return chosen or periods.newest(Month.of(reach.first), Month.of(reach.last))


def all_months(scope: Scope) -> list[Month]:
    """Return the months from the first to the newest order, the last MAX_MONTHS at most."""
    reach = scope.once(span)
    if reach is None:
        return []
    last = Month.of(reach.last)
    first = max(Month.of(reach.first), last.plus(1 - MAX_MONTHS))
    count = (last.year - first.year) * 12 + last.number - first.number + 1
    return months(first, count)


def monthly(scope: Scope) -> Monthly:
    """Return sales by currency and month, the biggest currency first, by one GROUP BY."""
    run = scope.once(all_months)
    if not run:
        return {}
    rows = (
        counted(scope)
        .filter(**within("placed_at", run))
        .annotate(slot=bucket("placed_at", run))
        .values("currency", "slot")
        .annotate(minor=Sum("total_minor"), number=Count("pk"))
        .order_by("slot")
    )
    found: Monthly = defaultdict(dict)
    for row in rows:
        found[row["currency"]][run[row["slot"]]] = Sales(row["minor"], row["number"])
    return dict(sorted(found.items(), key=lambda pair: -_whole(pair[1].values()).orders))


def of(scope: Scope, currency: str, shown: Period) -> Sales:
    """Return what the months of `shown` brought in `currency`."""
    by_month = scope.once(monthly).get(currency, {})
    return _whole(by_month.get(month, Sales()) for month in shown.months)


def by_country(scope: Scope, shown: Period) -> list[tuple[str, str, int]]:
    """Return (country, currency, minor units), by currency, the biggest first."""
    rows = (
        counted(scope)
        .filter(**within("placed_at", shown.months))
        .values_list("country", "currency")
        .annotate(minor=Sum("total_minor"))
        .order_by("currency", "-minor", "country")
    )
    return list(rows)


def by_category(scope: Scope, shown: Period) -> list[tuple[str, str, int]]:
    """Return (category, currency, minor units) of order lines, by currency, the biggest first."""
    rows = (
        scope(OrderLine)
        .filter(order__status__in=COUNTED, **within("order__placed_at", shown.months))
        .values_list("product__category", "currency")
        .annotate(minor=Sum("total_minor"))
        .order_by("currency", "-minor", "product__category")
    )
    return list(rows)


def charges(scope: Scope, shown: Period) -> dict[str, int]:
    """Return minor units of postage and other charges by currency."""
    rows = (
        scope(Charge)
        .filter(order__status__in=COUNTED, **within("order__placed_at", shown.months))
        .values_list("currency")
        .annotate(minor=Sum("total_minor"))
        .order_by()
    )
    return dict(rows)


def returned(scope: Scope, shown: Period) -> dict[str, int]:
    """Return the worth of the goods that came back in `shown`, as positive minor units."""
    rows = (
        scope(Return)
        .filter(**within("returned_at", shown.months))
        .values_list("currency")
        .annotate(minor=Sum("total_minor"))
        .order_by()
    )
    return {currency: -minor for currency, minor in rows}


def _whole(parts: Iterable[Sales]) -> Sales:
    return sum(parts, start=Sales())
