"""What the list of orders shows beside its columns: badges, filters, and what waits for me.

Apps above add with one line each: badges with `OrderAdmin.badge_sources.append(…)`, what waits for
somebody with `OrderAdmin.waiting_sources.append(…)`, filters with `OrderAdmin.contribute(…)`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.admin import ListFilter, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.money import Money
from backoffice.policy import may, scope
from backoffice.site import Badge
from backoffice.site.list_views import AT_MOST
from orders import queries
from orders.models import Order, OrderLine
from orders.services.changes import DECIDE
from orders.services.parcels import SHIP
from orders.states import ChangeKind, ChangeState, OrderState
from sellers.models import Seller

# source(request, orders of one page) -> order id -> badges, in one query or so.
BadgeSource = Callable[[HttpRequest, Sequence[Order]], Mapping[int, Sequence[Badge]]]
# source(request) -> ids of orders with something for this person to do, oldest first; None: none.
WaitingSource = Callable[[HttpRequest], QuerySet[Any, Any] | None]

_ASKED = {
    ChangeKind.CANCEL: gettext_lazy("Cancel asked"),
    ChangeKind.RETURN: gettext_lazy("Return asked"),
    ChangeKind.EXCHANGE: gettext_lazy("Exchange asked"),
    ChangeKind.ADDRESS: gettext_lazy("New address asked"),
}
_SELLERS = 100
_DAYS = (1, 3, 7, 14, 30, 90)
_WAITING = "orders.waiting"
# Further than this no column of amounts counts.
_MOST_MINOR = 10**15


def change_badges(request: HttpRequest, orders: Sequence[Order]) -> dict[int, list[Badge]]:
    """Return the requests that wait on these orders."""
    found: dict[int, list[Badge]] = {}
    if not may(request.user, "orders.view_changerequest", None):
        return found
    for change in queries.open_changes(orders):
        badge = Badge("move", _("Goods expected"))
        if change.state == ChangeState.REQUESTED:
            badge = Badge("wait", _ASKED[ChangeKind(change.kind)])
        known = found.setdefault(change.order_id, [])
        if badge not in known:
            known.append(badge)
    return found


def part_badges(request: HttpRequest, orders: Sequence[Any]) -> dict[int, list[Badge]]:
    """Return of which paid orders something was sent already, as the rows say themselves."""
    badge = Badge("move", _("Partly shipped"))
    return {
        order.pk: [badge]
        for order in orders
        if order.status == OrderState.PAID and order.partly_sent
    }


def to_decide(request: HttpRequest) -> QuerySet[Any, Any] | None:
    """Return the orders with a change request that this person may decide about."""
    if not may(request.user, DECIDE, None):
        return None
    rows = queries.waiting_changes().exclude(asked_by=request.user.pk)
    return rows.values_list("order", flat=True)


def to_send(request: HttpRequest) -> QuerySet[Any, Any] | None:
    """Return the orders that are paid and not sent, for who sends."""
    if not may(request.user, SHIP, None):
        return None
    paid = Order.objects.filter(status=OrderState.PAID).order_by("placed_at")
    return paid.values_list("pk", flat=True)


def waiting_keys(request: HttpRequest, sources: Sequence[WaitingSource]) -> set[int]:
    """Return the orders with something for this person to do; read once a request.

    Of each source only the oldest AT_MOST + 1 are read, each by an index, so that the view and
    its number cost the same on ten rows and on ten million.
    """
    known: dict[str, set[int]] = request.META.setdefault(_WAITING, {})
    if _WAITING not in known:
        found = (source(request) for source in sources)
        keys = {key for rows in found if rows is not None for key in rows[: AT_MOST + 1]}
        mine = scope(request.user, Order.objects.filter(pk__in=keys))
        known[_WAITING] = set(mine.order_by().values_list("pk", flat=True))
    return known[_WAITING]


class AgeFilter(SimpleListFilter):
    """Orders that have been in their state for longer than so many days."""

    title = gettext_lazy("in this state")
    parameter_name = "older"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer some lengths."""
        text = "over %(count)s day", "over %(count)s days"
        return [(str(days), ngettext(*text, days) % {"count": days}) for days in _DAYS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list; what came from a sheet is in its state since it was placed."""
        if self.value() not in {str(days) for days in _DAYS}:
            return queryset
        border = timezone.now() - timedelta(days=int(self.value() or 0))
        placed = Q(state_since=None, placed_at__lt=border)
        return queryset.filter(Q(state_since__lt=border) | placed)


class SellerFilter(SimpleListFilter):
    """Orders with something of one seller in them."""

    title = gettext_lazy("seller")
    parameter_name = "seller"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the first hundred by name; of another one the address may name the code."""
        rows = Seller.objects.order_by("name").values_list("code", "name")
        return list(rows[:_SELLERS])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list without doubling an order of several lines."""
        if not self.value():
            return queryset
        lines = OrderLine.objects.filter(order=OuterRef("pk"), seller__code=self.value())
        return queryset.filter(Exists(lines))


@dataclass(frozen=True, slots=True)
class Box:
    """One field of a filter's form."""

    name: str
    label: str
    value: str
    numeric: bool = False


class AmountFilter(ListFilter):
    """Orders of one currency, between two totals: amounts of two currencies do not compare."""

    title = gettext_lazy("total")
    column = "total_minor"
    _NAMES = ("total_in", "total_from", "total_to")

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        """Take what is ours out of the address."""
        super().__init__(request, params, model, model_admin)
        for name in self._NAMES:
            if name in params:
                self.used_parameters[name] = str(params.pop(name)[-1]).strip()

    def has_output(self) -> bool:
        """Stand above the list always."""
        return True

    def expected_parameters(self) -> list[str | None]:
        """Name what it reads."""
        return list(self._NAMES)

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Offer all; what was typed is said as the second choice."""
        nothing = changelist.get_query_string(remove=list(self._NAMES))
        is_set = any(self.used_parameters.values())
        yield {"selected": not is_set, "query_string": nothing, "display": _("All")}
        if is_set:
            here = changelist.get_query_string()
            yield {"selected": True, "query_string": here, "display": self._words()}

    def form_fields(self) -> list[Box]:
        """Return what to type."""
        currency, low, high = (str(self.used_parameters.get(name, "")) for name in self._NAMES)
        return [
            Box("total_in", _("Currency"), currency or "GBP"),
            Box("total_from", _("From"), low, numeric=True),
            Box("total_to", _("To"), high, numeric=True),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list. Raises IncorrectLookupParameters for what is no amount."""
        if not any(self.used_parameters.values()):
            return queryset
        rows = queryset.filter(currency=self._currency)
        low, high = self._minor("total_from"), self._minor("total_to")
        rows = rows if low is None else rows.filter(**{f"{self.column}__gte": low})
        return rows if high is None else rows.filter(**{f"{self.column}__lte": high})

    @property
    def _currency(self) -> str:
        code = str(self.used_parameters.get("total_in") or "GBP").upper()
        if len(code) != 3 or not code.isascii() or not code.isalpha():  # noqa: PLR2004 - ISO 4217
            raise IncorrectLookupParameters
        return code

    def _minor(self, name: str) -> int | None:
        text = str(self.used_parameters.get(name) or "")
        if not text:
            return None
        try:
            minor = Money.of(Decimal(text), self._currency).minor
        except (InvalidOperation, ValueError, OverflowError):
            raise IncorrectLookupParameters from None
        if abs(minor) > _MOST_MINOR:
            raise IncorrectLookupParameters
        return minor

    def _words(self) -> str:
        low, high = (self.used_parameters.get(name) for name in self._NAMES[1:])
        if low and high:
            return f"{self._currency} {low}\N{EN DASH}{high}"
        if low:
            return _("from %(amount)s") % {"amount": f"{self._currency} {low}"}
        return (
            _("up to %(amount)s") % {"amount": f"{self._currency} {high}"}
            if high
            else self._currency
        )
