"""Asking for money back from below: payments, which stand above, fill in who asks.

    refunding.register(ask_refund)        in AppConfig.ready of the app that knows payments

`ask_refund(order, parts, actor=…, reason=…)` returns in words what it asked for, "" where nothing
was captured. What it raises (ValidationError, PermissionDenied) stops the whole decision.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.money import Money
from orders.models import Charge, Order, OrderLine


@dataclass(frozen=True, slots=True)
class Part:
    """What should go back for a line (of so many pieces) or for a charge."""

    amount: Money
    line: OrderLine | None = None
    charge: Charge | None = None
    quantity: int = 0


class Asker(Protocol):
    """Asks for a refund of these parts; see the module."""

    def __call__(
        self, order: Order, parts: Sequence[Part], *, actor: User, reason: str
    ) -> str | None: ...


_askers: list[Asker] = []


def register(asker: Asker) -> None:
    """Let `asker` ask for refunds."""
    if asker not in _askers:
        _askers.append(asker)


def ask(order: Order, parts: Iterable[Part], *, actor: User, reason: str) -> str:
    """Ask for a refund of what has a price; return in words what was asked for.

    Raises ValidationError in words where the actor may not ask for refunds.
    """
    wanted = [part for part in parts if part.amount.minor > 0]
    if not wanted:
        return ""
    try:
        told = [asker(order, wanted, actor=actor, reason=reason) for asker in _askers]
    except PermissionDenied:
        raise ValidationError(
            _("Money has to go back for this, and you have no right to ask for refunds.")
        ) from None
    return " ".join(text for text in told if text)


def pieces(amounts: Mapping[OrderLine, int], gone: Mapping[OrderLine, int]) -> Iterator[Part]:
    """Yield the part of each line: so many pieces, so many others having gone before.

    No more than is left of the line: a refund for a scratch took some of it already.
    """
    for line, count in amounts.items():
        left = line.total_minor - line.reserved_minor
        worth = line.worth(count, gone[line])
        yield Part(Money(min(worth.minor, left), line.currency), line=line, quantity=count)


def charges(order: Order) -> Iterator[Part]:
    """Yield the part of each charge of an order that is not held for a refund yet."""
    for charge in order.charges.all():
        left = Money(charge.total_minor - charge.reserved_minor, charge.currency)
        yield Part(left, charge=charge)
