"""What orders ask for when they are cancelled or goods came in: the parts, over all payments.

A person who cancels an order of two payments means both. So the parts are dealt out to the payments
in the order in which they were captured, each to its end, and every payment gets a refund of its
own, which is approved like any other.
"""

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.money import Money
from orders.models import Order
from orders.services.refunding import Part
from payments.models import Payment
from payments.services.choosing import why_not
from payments.services.requests import request_refund
from payments.services.splitting import Asked


def ask_for_parts(order: Order, parts: Sequence[Part], *, actor: User, reason: str) -> str:
    """Ask for the refunds of these parts; return in words what was asked for, "" for nothing.

    Nothing where nothing was captured. Raises what `request_refund` raises, also where all payments
    together do not cover the parts.
    """
    payments = list(order.payments.filter(currency=order.currency).order_by("captured_at", "pk"))
    if not payments:
        return ""
    shares = _deal(payments, [_asked(part) for part in parts])
    made = [
        request_refund(order, asked, actor=actor, reason=reason, payment=payment)
        for payment, asked in shares
    ]
    words = ", ".join(f"{one.code} {one.amount}" for one in made)
    return _("Refund asked for: %(refunds)s.") % {"refunds": words}


def _asked(part: Part) -> Asked:
    return Asked(part.line, part.charge, part.amount, part.quantity or None)


def _deal(
    payments: Sequence[Payment], asked: Iterable[Asked]
) -> list[tuple[Payment | None, list[Asked]]]:
    """Return what each payment gives back; all of it to the first that covers it alone."""
    wanted = list(asked)
    total = sum(one.amount.minor for one in wanted if one.amount)
    currency = payments[0].currency
    open_ = [one for one in payments if one.refundable and why_not(one, one.refundable) is None]
    left = [one.refundable.minor for one in open_]
    if sum(left) < total or any(minor >= total for minor in left):
        return [(None, wanted)]
    dealt: list[tuple[Payment | None, list[Asked]]] = []
    for payment, room in zip(open_, left, strict=True):
        taken, wanted = _fill(wanted, room, currency)
        if taken:
            dealt.append((payment, taken))
    return dealt


def _fill(wanted: list[Asked], room: int, currency: str) -> tuple[list[Asked], list[Asked]]:
    """Return what fits into the room, and what is left over; the last part may be cut."""
    taken: list[Asked] = []
    for place, one in enumerate(wanted):
        minor = one.amount.minor if one.amount else 0
        if minor > room:
            over = Asked(one.line, one.charge, Money(minor - room, currency), one.quantity)
            cut = [Asked(one.line, one.charge, Money(room, currency))] if room else []
            return [*taken, *cut], [over, *wanted[place + 1 :]]
        taken.append(one)
        room -= minor
    return taken, []
