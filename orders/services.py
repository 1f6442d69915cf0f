"""Verbs on orders. The allowed moves stand in `orders.models.TRANSITIONS`."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from backoffice.money import Money
from orders.models import TRANSITIONS, Order, OrderLine

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


class LineLimitError(ValidationError):
    """More would go back for a line than it cost."""


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
    return frozenset(before for before, after in TRANSITIONS.items() if status in after)


def reserve_line(line: OrderLine, amount: Money, *, actor: User, reason: str) -> None:
    """Hold `amount` of the line for a refund; raise LineLimitError when less is left."""
    held = update_where(
        line,
        Q(currency=amount.currency, reserved_minor__lte=F("total_minor") - amount.minor),
        actor=actor,
        reason=reason,
        changes={"reserved_minor": F("reserved_minor") + amount.minor},
    )
    if not held:
        line.refresh_from_db()
        left = Money(line.total_minor - line.reserved_minor, line.currency)
        message = _("Only %(left)s of this line can still be refunded.") % {"left": left}
        raise LineLimitError({"amount": message})


def release_line(line: OrderLine, amount: Money, *, actor: User | None, reason: str) -> None:
    """Let go of what `reserve_line` held; the CHECK refuses to let go of more."""
    update_where(
        line,
        Q(),
        actor=actor,
        reason=reason,
        changes={"reserved_minor": F("reserved_minor") - amount.minor},
    )


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
