"""Verbs on orders. The allowed moves stand in `orders.states`."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from orders.models import Order
from orders.states import ORDER, before

_Status = Order.Status

MOVED = {
    _Status.PAID: verbs.register("orders.paid", gettext_lazy("Order paid")),
    _Status.SHIPPED: verbs.register("orders.shipped", gettext_lazy("Order shipped")),
    _Status.DELIVERED: verbs.register("orders.delivered", gettext_lazy("Order delivered")),
    _Status.CANCELLED: verbs.register("orders.cancelled", gettext_lazy("Order cancelled")),
}
"""State -> the verb of coming into it."""


class MoveRefusedError(ValidationError):
    """The order's state does not allow the move."""


def cancel_order(order: Order, *, actor: User, reason: str) -> None:
    """Cancel an order that was not shipped; money already captured stays until it is refunded.

    Raises PermissionDenied, MoveRefusedError, ValidationError without a reason.
    """
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    _require(actor, "orders.cancel_order")
    _move(order, _Status.CANCELLED, actor=actor, reason=reason)


def mark_paid(order: Order, *, actor: User | None, reason: str = "") -> None:
    """Note that the money came in; `actor` None where a gateway said so."""
    _move(order, _Status.PAID, actor=actor, reason=reason)


def mark_shipped(order: Order, *, actor: User, reason: str = "") -> None:
    """Note that the goods left. Raises PermissionDenied, MoveRefusedError."""
    _require(actor, "orders.ship_order")
    _move(order, _Status.SHIPPED, actor=actor, reason=reason)


def mark_delivered(order: Order, *, actor: User, reason: str = "") -> None:
    """Note that the goods arrived. Raises PermissionDenied, MoveRefusedError."""
    _require(actor, "orders.ship_order")
    _move(order, _Status.DELIVERED, actor=actor, reason=reason)


def allowed_from(status: str) -> frozenset[str]:
    """Return the states from which an order may come into `status`."""
    return before(ORDER, status)


def _require(actor: User, permission: str) -> None:
    if not actor.has_perm(permission):
        raise PermissionDenied


def _move(order: Order, to: _Status, *, actor: User | None, reason: str) -> None:
    before = order.status
    with transaction.atomic():
        moved = update_where(
            order,
            Q(status__in=allowed_from(to)),
            actor=actor,
            reason=reason,
            changes={"status": to},
        )
        if not moved:
            order.refresh_from_db()
            raise MoveRefusedError(
                _("An order that is “%(before)s” cannot become “%(after)s”.")
                % {"before": order.get_status_display(), "after": to.label}
            )
        record(MOVED[to], actor=actor, subject=order, reason=reason, context={"from": before})
