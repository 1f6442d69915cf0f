"""What orders add to customers: columns of the list, cards and a tab of the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.money import Money
from backoffice.policy import scope
from backoffice.site import Panel, staff_site
from backoffice.site.columns import PageColumn
from backoffice.site.tabs import Tab
from backoffice.site.values import choice_badge
from customers.admin import CustomerAdmin
from customers.models import Customer
from orders.admin.order_page import ORDER_STATES
from orders.models import Order
from orders.queries import COUNTED

LATEST_ORDERS = 5


@dataclass(slots=True)
class Trade:
    """What a customer ordered: `totals` is one amount a currency, since none are ever added."""

    count: int = 0
    last: datetime | None = None
    totals: list[Money] = field(default_factory=list)

    @property
    def last_day(self) -> date | None:
        """The day of the newest order."""
        return timezone.localdate(self.last) if self.last else None

    @property
    def sums(self) -> str:
        """The totals in one line."""
        return " · ".join(str(total) for total in self.totals)


def _orders_of(request: HttpRequest, customers: Sequence[Customer]) -> QuerySet[Order]:
    rows = Order.objects.filter(customer__in=[customer.pk for customer in customers])
    return scope(request.user, rows, site=staff_site.name)


def trade(request: HttpRequest, customers: Sequence[Customer]) -> Mapping[Any, Trade]:
    """Return customer id -> what they ordered, in one query for however many customers."""
    found: dict[Any, Trade] = {customer.pk: Trade() for customer in customers}
    rows = (
        _orders_of(request, customers)
        .order_by("customer", "currency")
        .values("customer", "currency")
        .annotate(
            count=Count("pk"),
            last=Max("placed_at"),
            minor=Sum("total_minor", filter=Q(status__in=COUNTED)),
        )
    )
    for row in rows:
        known = found[row["customer"]]
        known.count += row["count"]
        known.last = max(filter(None, (known.last, row["last"])), default=None)
        if row["minor"] is not None:
            known.totals.append(Money(row["minor"], row["currency"]))
    return found


def _order_rows(request: HttpRequest, customer: Customer) -> QuerySet[Order]:
    return _orders_of(request, [customer])


def _lines(request: HttpRequest, customer: Customer, orders: list[Order]) -> list[Any]:
    page = staff_site.get_model_admin(Order)
    return [
        (order, page.url_of("change", order.pk), choice_badge(order, "status", ORDER_STATES))
        for order in orders
    ]


def _latest_orders(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    mine = _order_rows(request, customer)
    rows = _lines(request, customer, list(mine[:LATEST_ORDERS]))
    return {"rows": rows, "panel_note": _("%d in all") % mine.count()}


def _glance(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    return {"since": customer.created_at, "trade": trade(request, [customer])[customer.pk]}


def _count(request: HttpRequest, customer: Customer) -> int:
    return _order_rows(request, customer).count()


_MAY = "orders.view_order"

CustomerAdmin.contribute(
    columns=[
        PageColumn(
            "order_count",
            gettext_lazy("orders"),
            trade,
            lambda one: one.count,
            numeric=True,
            permission=_MAY,
        ),
        PageColumn(
            "ordered_in_all",
            gettext_lazy("ordered in all"),
            trade,
            lambda one: one.sums,
            numeric=True,
            permission=_MAY,
        ),
        PageColumn(
            "last_order",
            gettext_lazy("last order"),
            trade,
            lambda one: one.last_day,
            permission=_MAY,
        ),
    ],
    panels=[
        Panel(
            gettext_lazy("Latest orders"),
            "orders/latest_orders.html",
            _latest_orders,
            column="main",
            permission=_MAY,
            order=20,
        ),
        Panel(
            gettext_lazy("At a glance"),
            "orders/customer_glance.html",
            _glance,
            permission=_MAY,
            order=10,
        ),
    ],
    tabs=[
        Tab(
            "orders",
            gettext_lazy("Orders"),
            "orders/latest_orders.html",
            _order_rows,
            prepare=_lines,
            count=_count,
            permission=_MAY,
            order=10,
            empty=gettext_lazy("What this customer buys comes with the next imported sheet."),
        )
    ],
)
