"""From which payment of an order a refund goes, and why none may be the one.

One refund goes back through one payment: a sum that no single payment covers is refused in words
that name what each still has, and is asked for in several refunds, each approved for itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.money import Money
from orders.models import Order
from payments.gateways import gateways
from payments.gateways.base import Caps
from payments.models import Payment, RefundStop
from payments.services import stops
from payments.services.refusals import RefundRefusedError
from payments.services.verification import why_not_usable
from payments.states import HOLDING, SHEET


def choose(payments: Sequence[Payment], amount: Money) -> Payment:
    """Return the first of the payments that covers `amount` and may be refunded.

    Raises RefundRefusedError with the first reason found.
    """
    same = [payment for payment in payments if payment.currency == amount.currency]
    if not same:
        raise RefundRefusedError({"amount": _("No payment of this order was captured here.")})
    covering = [payment for payment in same if amount <= payment.refundable]
    if not covering:
        raise _none_covers(same)
    refusals = []
    for payment in covering:
        if (why := why_not(payment, amount)) is None:
            return payment
        refusals.append(why)
    raise refusals[0]


@dataclass(frozen=True, slots=True)
class Room:
    """How much may be asked for now over all payments of an order; of nothing, why (in words)."""

    left: Money
    why_not: str = ""


def room(order: Order) -> Room:
    """Return what may be asked for now, in two queries: what is left where the gateway may refund.

    Money that is left, but behind a stop or a gateway that must not refund, does not count.
    """
    payments = order.payments.filter(currency=order.currency).order_by("captured_at", "pk")
    found = list(payments)
    running = stops.running()
    refused = {
        payment: why_not(payment, payment.refundable, running)
        for payment in found
        if payment.refundable
    }
    open_ = [payment.refundable for payment, why in refused.items() if why is None]
    if open_:
        return Room(sum(open_, Money(0, order.currency)))
    closed = [" ".join(why.messages) for why in refused.values() if why is not None]
    return Room(Money(0, order.currency), closed[0] if closed else _nothing_left(found))


def _nothing_left(payments: Sequence[Payment]) -> str:
    """Return where the money is of which nothing can be refunded."""
    if not payments:
        return _("No payment was captured through a gateway, so nothing can be refunded here.")
    zero = Money(0, payments[0].currency)
    sums = (
        (_("%(amount)s refunded"), sum((one.refunded for one in payments), zero)),
        (_("%(amount)s reserved"), sum((one.under_way for one in payments), zero)),
        (_("%(amount)s blocked by a dispute"), sum((one.blocked for one in payments), zero)),
    )
    told = ", ".join(text % {"amount": amount} for text, amount in sums if amount)
    return _("Nothing is left to refund: %(sums)s.") % {"sums": told}


def beyond(payment: Payment) -> RefundRefusedError:
    """Return the refusal that names what is left of a payment."""
    payment.refresh_from_db()
    words = {"left": payment.refundable, "blocked": payment.blocked}
    text = _("Only %(left)s can still be refunded.") % words
    if payment.blocked:
        text += " " + _("A dispute holds %(blocked)s of this payment.") % words
    return RefundRefusedError({"amount": text})


def _none_covers(payments: Sequence[Payment]) -> RefundRefusedError:
    open_ = [payment for payment in payments if payment.refundable]
    if len(open_) < 2:  # noqa: PLR2004 - one payment, or none
        return beyond(max(payments, key=lambda payment: payment.refundable.minor))
    lefts = ", ".join(f"{payment.reference} {payment.refundable}" for payment in open_)
    text = _("No single payment covers this. Ask for one refund each: %(lefts)s.")
    return RefundRefusedError({"amount": text % {"lefts": lefts}})


def why_not(
    payment: Payment, amount: Money, running: list[RefundStop] | None = None
) -> RefundRefusedError | None:
    """Return why this payment's gateway cannot give back `amount`; None when it can.

    `running` are the stops in force, where somebody has read them already.
    """
    if payment.gateway == SHEET:
        text = _(
            "A sheet told of this payment: no gateway here took it, and none can give it back."
        )
        return RefundRefusedError(text)
    if payment.gateway not in gateways:
        return RefundRefusedError(_("The gateway of this payment is not set up any more."))
    if closed := stops.held(payment.gateway, running) or why_not_usable(payment.gateway):
        return RefundRefusedError(closed)
    return _beyond_caps(payment, amount, gateways[payment.gateway].caps)


def _beyond_caps(payment: Payment, amount: Money, caps: Caps) -> RefundRefusedError | None:
    if not caps.partial and amount != payment.captured:
        return RefundRefusedError({"amount": _("This gateway refunds whole payments only.")})
    if not caps.multiple and payment.refunds.filter(state__in=HOLDING).exists():
        return RefundRefusedError(_("This gateway refunds a payment once, and that was done."))
    if caps.max_age is not None and timezone.now() > payment.captured_at + caps.max_age:
        text = _("This gateway refunds payments of the last %(days)s days only.")
        return RefundRefusedError(text % {"days": caps.max_age.days})
    return None
