"""Cancelling an order or some of its pieces because a customer asked, with the refund for them."""

from collections.abc import Mapping

from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from orders.models import Order, OrderLine
from orders.services import refunding
from orders.services.moves import MoveRefusedError, move, settle
from orders.states import OrderState

PIECES_CANCELLED = verbs.register("orders.pieces_cancelled", gettext_lazy("Pieces cancelled"))


def cancel(order: Order, amounts: Mapping[OrderLine, int], *, actor: User, reason: str) -> str:
    """Cancel these pieces, or all that is open where none are named; return what came of it.

    The order has to be locked. The refund is asked for first, since who asks for refunds
    elsewhere takes payment and line in that order too, and two that wait for each other fail.
    """
    lines = list(order.lines.select_related("order").order_by("position"))
    open_ = {line: line.pieces.open for line in lines if line.pieces.open}
    wanted = amounts or open_
    all_of_it = wanted == open_ and not any(line.shipped_quantity for line in lines)
    parts = [*refunding.pieces(wanted, {line: line.cancelled_quantity for line in wanted})]
    if all_of_it:
        parts += refunding.charges(order)
    asked = refunding.ask(order, parts, actor=actor, reason=reason)
    if all_of_it:
        move(order, OrderState.CANCELLED, actor=actor, reason=reason)
        return f"{_('The order is cancelled.')} {asked}".strip()
    _cancel_pieces(order, wanted, actor=actor, reason=reason)
    count = sum(wanted.values())
    return f"{_('%(count)s pieces are cancelled.') % {'count': count}} {asked}".strip()


def _cancel_pieces(
    order: Order, amounts: Mapping[OrderLine, int], *, actor: User, reason: str
) -> None:
    for line, count in amounts.items():
        gone = F("shipped_quantity") + F("cancelled_quantity")
        taken = update_where(
            line,
            Q(quantity__gte=gone + count),
            actor=actor,
            reason=reason,
            changes={"cancelled_quantity": F("cancelled_quantity") + count},
        )
        if not taken:
            text = _("Line %(line)s has fewer open pieces by now.")
            raise MoveRefusedError(text % {"line": line.position})
    facts = {"lines": {str(line.position): count for line, count in amounts.items()}}
    record(PIECES_CANCELLED, actor=actor, subject=order, reason=reason, context=facts)
    settle(order, actor=actor, reason=reason)
