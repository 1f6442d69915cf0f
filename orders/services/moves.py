"""Bringing an order into a state. The table of what may follow what is `orders.states.ORDER`.

Whatever changes an order or its lines locks the order first (`locked`), so that of two people who
act at once the second decides about what the first one left.
"""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from orders.models import Order
from orders.states import ORDER, OrderState, before

MOVED = {
    OrderState.PAID: verbs.register("orders.paid", gettext_lazy("Order paid")),
    OrderState.SHIPPED: verbs.register("orders.shipped", gettext_lazy("Order shipped")),
    OrderState.DELIVERED: verbs.register("orders.delivered", gettext_lazy("Order delivered")),
    OrderState.CANCELLED: verbs.register("orders.cancelled", gettext_lazy("Order cancelled")),
}
"""State -> the verb of coming into it."""


class MoveRefusedError(ValidationError):
    """The state of the order, line, parcel or request does not allow it."""


def cancel_order(order: Order, *, actor: User, reason: str) -> None:
    """Cancel an order of which nothing was sent; captured money stays until it is refunded.

    Raises PermissionDenied, MoveRefusedError, ValidationError without a reason.
    """
    need_reason(reason)
    require(actor, "orders.cancel_order")
    with transaction.atomic():
        locked(order)
        if refused := why_sent(order):
            raise MoveRefusedError(refused)
        move(order, OrderState.CANCELLED, actor=actor, reason=reason)


def mark_paid(order: Order, *, actor: User | None, reason: str = "") -> None:
    """Note that the money came in; `actor` None where a gateway said so."""
    move(order, OrderState.PAID, actor=actor, reason=reason)


def allowed_from(status: str) -> frozenset[str]:
    """Return the states from which an order may come into `status`."""
    return before(ORDER, status)


def why_not(order: Order, to: str) -> str:
    """Return in words why the order cannot come into a state now; "" where it can."""
    if order.status in allowed_from(to):
        return ""
    return _("An order that is “%(before)s” cannot become “%(after)s”.") % {
        "before": order.get_status_display(),
        "after": OrderState(to).label,
    }


def why_sent(order: Order) -> str:
    """Return in words that some of the order has left; "" where nothing has."""
    sent = order.lines.filter(shipped_quantity__gt=0).exists()
    return str(PARTLY_SENT) if sent else ""


PARTLY_SENT = gettext_lazy(
    "Some of it was sent already. Cancel the pieces that are still open, by a change request."
)


def move(order: Order, to: OrderState, *, actor: User | None, reason: str = "") -> None:
    """Bring the order into a state, with history and event. Raises MoveRefusedError."""
    was = order.status
    with transaction.atomic():
        moved = update_where(
            order,
            Q(status__in=allowed_from(to)),
            actor=actor,
            reason=reason,
            changes={"status": to, "state_since": timezone.now()},
        )
        if not moved:
            order.refresh_from_db()
            raise MoveRefusedError(why_not(order, to))
        record(MOVED[to], actor=actor, subject=order, reason=reason, context={"from": was})


def settle(order: Order, *, actor: User, reason: str = "") -> None:
    """Bring a paid order along with its lines: all cancelled, all sent, all arrived."""
    lines = order.lines.all()
    if order.status == OrderState.PAID and not _has_open(lines):
        nothing = not lines.filter(shipped_quantity__gt=0).exists()
        to = OrderState.CANCELLED if nothing else OrderState.SHIPPED
        move(order, to, actor=actor, reason=reason)
    still_out = lines.filter(delivered_quantity__lt=F("quantity") - F("cancelled_quantity"))
    if order.status == OrderState.SHIPPED and not still_out.exists():
        move(order, OrderState.DELIVERED, actor=actor, reason=reason)


def _has_open(lines: Any) -> bool:
    gone = F("shipped_quantity") + F("cancelled_quantity")
    return bool(lines.filter(quantity__gt=gone).exists())


def locked(order: Order) -> None:
    """Hold the order's row until the transaction ends, and read it again.

    SQLite has no locks of rows; there the whole database is held from the start of a transaction.
    """
    Order.objects.select_for_update(of=("self",)).order_by().get(pk=order.pk)
    order.refresh_from_db(fields=["status", "state_since"])


def require(actor: User, permission: str) -> None:
    """Raise PermissionDenied for who lacks a right."""
    if not actor.is_active or not actor.has_perm(permission):
        raise PermissionDenied


def need_reason(reason: str) -> None:
    """Raise ValidationError where nobody said why."""
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
