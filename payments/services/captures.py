"""Money that came in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import batched

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.audit import history, verbs
from backoffice.audit.services import record, record_each, save_with_history
from backoffice.money import Money
from orders.models import Order
from orders.services import mark_paid
from payments.models import Payment
from payments.services import ledger

CAPTURED = verbs.register("payments.captured", _("Payment captured"))
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Capture:
    """A payment that a gateway captured; `reference` is the gateway's name of it."""

    order: Order
    amount: Money
    gateway: str
    reference: str
    captured_at: datetime


def record_capture(
    order: Order,
    amount: Money,
    *,
    gateway: str,
    reference: str,
    captured_at: datetime,
    actor: User | None,
) -> Payment:
    """Note and book a captured payment of an order; a placed order becomes paid.

    Raises IntegrityError where the gateway's reference is known already.
    """
    payment = _payment(Capture(order, amount, gateway, reference, captured_at))
    with transaction.atomic():
        save_with_history(payment, actor=actor)
        ledger.book_capture(payment)
        record(CAPTURED, actor=actor, subject=payment, context={"amount": str(amount)})
        if order.status == Order.Status.PLACED:
            mark_paid(order, actor=actor)
    return payment


def record_captures(captures: Iterable[Capture], *, actor: User | None) -> int:
    """Do as `record_capture` for many, in few statements for 1,000 of them; return how many.

    Raises IntegrityError where a reference is known already; earlier thousands stay.
    """
    count = 0
    for part in batched(captures, BATCH):
        with transaction.atomic():
            payments = history.bulk_create([_payment(one) for one in part], actor=actor)
            ledger.book_captures(payments)
            amounts = [{"amount": str(one.amount)} for one in part]
            record_each(CAPTURED, actor=actor, subjects=payments, context=amounts)
            for one in part:
                if one.order.status == Order.Status.PLACED:
                    mark_paid(one.order, actor=actor)
        count += len(part)
    return count


def _payment(capture: Capture) -> Payment:
    return Payment(
        order=capture.order,
        gateway=capture.gateway,
        reference=capture.reference,
        currency=capture.amount.currency,
        captured_minor=capture.amount.minor,
        captured_at=capture.captured_at,
    )
