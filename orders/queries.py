"""Shared reads about orders: what counts as sold, and how one shop does."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Exists, Max, Min, OuterRef, QuerySet, Sum

from backoffice.charts.periods import Month, bucket, months, within
from backoffice.charts.registry import Scope
from orders.models import ChangeRequest, Order, OrderLine, Parcel, ReturnLine
from orders.states import CHANGE_OPEN, ChangeState, Pieces
from sellers.queries import Person, own

# The states of orders whose amounts count as revenue, here and in every report.
COUNTED = [status.value for status in Order.Status if status is not Order.Status.CANCELLED]
YEAR = 12


@dataclass(frozen=True, slots=True)
class MonthOfShop:
    """What a shop sold in one month: `minor` in minor units, in how many lines and orders."""

    minor: int = 0
    lines: int = 0
    orders: int = 0


@dataclass(frozen=True, slots=True)
class ToShip:
    """Paid orders that wait to be sent: how many, and when the oldest was placed."""

    count: int
    oldest: datetime | None


def own_orders(user: Person, rows: QuerySet[Order]) -> QuerySet[Order]:
    """Narrow orders to those with a line of the person's shop."""
    return rows.filter(pk__in=OrderLine.objects.filter(own(user, "seller")).values("order"))


def own_lines(user: Person, rows: QuerySet[OrderLine]) -> QuerySet[OrderLine]:
    """Narrow order lines to those of the person's shop."""
    return rows.filter(own(user, "seller"))


def own_return_lines(user: Person, rows: QuerySet[ReturnLine]) -> QuerySet[ReturnLine]:
    """Narrow lines of returns to products of the person's shop."""
    return rows.filter(own(user, "product__seller"))


def own_parcels(user: Person, rows: QuerySet[Parcel]) -> QuerySet[Parcel]:
    """Narrow parcels to those of the person's shop."""
    return rows.filter(own(user, "seller"))


def waiting_changes() -> QuerySet[ChangeRequest]:
    """Return the requests that nobody decided about yet, oldest first."""
    return ChangeRequest.objects.filter(state=ChangeState.REQUESTED).order_by("id")


def open_changes(orders: Iterable[Order]) -> QuerySet[ChangeRequest]:
    """Return the requests about these orders on which something has to be done still."""
    rows = ChangeRequest.objects.filter(order__in=orders, state__in=CHANGE_OPEN)
    return rows.order_by("id")


def with_sent(rows: QuerySet[Order]) -> QuerySet[Order]:
    """Say of each order in `partly_sent` whether parcels of it have left."""
    sent = OrderLine.objects.filter(order=OuterRef("pk"), shipped_quantity__gt=0)
    return rows.annotate(partly_sent=Exists(sent))


def came_back(order: Order) -> dict[int, int]:
    """Return line -> pieces that came back, by the credit notes: ours and those of sheets."""
    rows = ReturnLine.objects.filter(order_line__order=order).order_by().values("order_line")
    return {row["order_line"]: -row["pieces"] for row in rows.annotate(pieces=Sum("quantity"))}


def pieces_of(line: OrderLine, back: int) -> Pieces:
    """Return what became of the pieces of a line, `back` of them having come back by paper."""
    own = line.pieces
    return replace(own, returned=min(own.shipped, max(own.returned, back)))


def sold_lines(scope: Scope) -> QuerySet[OrderLine]:
    """Return the lines of orders that are not cancelled."""
    return scope(OrderLine).filter(order__status__in=COUNTED)


def newest_month(scope: Scope) -> Month | None:
    """Return the month of the newest sale; None before the first."""
    newest: datetime | None = sold_lines(scope).aggregate(at=Max("order__placed_at"))["at"]
    return None if newest is None else Month.of(newest)


def year_of_shop(scope: Scope) -> list[Month]:
    """Return the twelve months up to the one of the newest sale; nothing before the first."""
    newest = scope.once(newest_month)
    return [] if newest is None else months(newest.plus(1 - YEAR), YEAR)


def months_of_shop(scope: Scope) -> dict[str, list[MonthOfShop]]:
    """Return for each currency the twelve months of `year_of_shop`, by one GROUP BY."""
    run = scope.once(year_of_shop)
    if not run:
        return {}
    rows = (
        sold_lines(scope)
        .filter(**within("order__placed_at", run))
        .annotate(slot=bucket("order__placed_at", run))
        .values("currency", "slot")
        .annotate(
            minor=Sum("total_minor"),
            lines=Count("pk"),
            orders=Count("order", distinct=True),
        )
        .order_by("currency", "slot")
    )
    found: dict[str, list[MonthOfShop]] = defaultdict(lambda: [MonthOfShop()] * YEAR)
    for row in rows:
        found[row["currency"]][row["slot"]] = MonthOfShop(row["minor"], row["lines"], row["orders"])
    return dict(found)


def to_ship(scope: Scope) -> ToShip:
    """Return what is paid and not yet shipped."""
    found = (
        scope(Order)
        .filter(status=Order.Status.PAID)
        .aggregate(count=Count("pk"), oldest=Min("placed_at"))
    )
    return ToShip(found["count"], found["oldest"])


def returned(scope: Scope) -> dict[str, int]:
    """Return what came back in the twelve months, as positive minor units by currency."""
    run = scope.once(year_of_shop)
    if not run:
        return {}
    rows = (
        scope(ReturnLine)
        .filter(**within("parent__returned_at", run))
        .values_list("currency")
        .annotate(minor=Sum("total_minor"))
        .order_by()
    )
    return {currency: -minor for currency, minor in rows}
