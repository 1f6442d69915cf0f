"""What payments add to the list of orders: badges, filters, and refunds that wait to be decided."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.policy import may
from backoffice.site import Badge
from orders.admin import OrderAdmin
from orders.models import Order
from payments.admin import refund_filters
from payments.gateways import gateways
from payments.models import Dispute, Payment, Refund
from payments.services import disputes
from payments.states import OPEN, RefundState

_UNKNOWN = frozenset({RefundState.UNKNOWN, RefundState.NEEDS_REVIEW})
# Not decided, and it keeps money from being refunded: an announced chargeback does so as well.
_DISPUTED = disputes.BLOCKING & disputes.UNDECIDED


def refund_badges(request: HttpRequest, orders: Sequence[Order]) -> dict[int, list[Badge]]:
    """Return of which orders a refund is open; one whose outcome nobody knows says so."""
    if not may(request.user, "payments.view_refund", None):
        return {}
    rows = Refund.objects.filter(payment__order__in=orders, state__in=OPEN).order_by()
    states: dict[int, set[str]] = {}
    for key, state in rows.values_list("payment__order", "state").distinct():
        states.setdefault(key, set()).add(state)
    return {key: [_refund_badge(found)] for key, found in states.items()}


def _refund_badge(states: set[str]) -> Badge:
    if states & _UNKNOWN:
        return Badge("unkn", _("Refund unknown"))
    return Badge("wait", _("Refund open"))


def dispute_badges(request: HttpRequest, orders: Sequence[Order]) -> dict[int, list[Badge]]:
    """Return of which orders a payment is disputed."""
    if not may(request.user, "payments.view_dispute", None):
        return {}
    rows = Dispute.objects.filter(payment__order__in=orders, status__in=_DISPUTED).order_by()
    keys = rows.values_list("payment__order", flat=True).distinct()
    return {key: [Badge("fail", _("Disputed"))] for key in keys}


def to_approve(request: HttpRequest) -> QuerySet[Any, Any] | None:
    """Return the orders with a refund that waits for this person's decision, oldest first.

    The same refunds as "Waiting for me" of the list of refunds.
    """
    if not may(request.user, "payments.view_refund", None):
        return None
    rows = refund_filters.waiting(request, Refund.objects.all())
    return rows.order_by("pk").values_list("payment__order", flat=True)


class GatewayFilter(SimpleListFilter):
    """Orders that were paid through one gateway."""

    title = gettext_lazy("gateway")
    parameter_name = "gateway"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer those that are set up, to who may see payments."""
        if not may(request.user, "payments.view_payment", None):
            return []
        return [(alias, gateways[alias].label) for alias in gateways]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list without doubling an order of several payments."""
        if not self.value():
            return queryset
        paid = Payment.objects.filter(order=OuterRef("pk"), gateway=self.value())
        return queryset.filter(Exists(paid))


class RefundFilter(SimpleListFilter):
    """Orders with an open refund, one of unknown outcome, or a dispute."""

    title = gettext_lazy("refund")
    parameter_name = "refund"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer what somebody may have to look after, to who may see refunds."""
        if not may(request.user, "payments.view_refund", None):
            return []
        return [("open", _("Open")), ("unknown", _("Unknown")), ("disputed", _("Disputed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list, starting from the few rows that are open."""
        found: QuerySet[Any]
        if self.value() == "disputed":
            found = Dispute.objects.filter(status__in=_DISPUTED)
        elif self.value() in {"open", "unknown"}:
            states = OPEN if self.value() == "open" else _UNKNOWN
            found = Refund.objects.filter(state__in=states)
        else:
            return queryset
        return queryset.filter(pk__in=found.order_by().values("payment__order"))


OrderAdmin.contribute(filters=[GatewayFilter, RefundFilter])
OrderAdmin.badge_sources.extend([refund_badges, dispute_badges])
OrderAdmin.waiting_sources.append(to_approve)
