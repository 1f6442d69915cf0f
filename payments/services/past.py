"""Payments of the past that a sheet tells of: kept, booked and never given back from here.

Nobody here captured them, so no gateway here can refund them: `choosing` refuses by their gateway
(`states.SHEET`), and no gateway may have that name (a system check). In the books the money came
in and went on to the bank on the same day: what gateways owe us stays as it was.
"""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record_each
from payments.gateways.settling import settling
from payments.models import LedgerTransaction, Payment
from payments.services import ledger
from payments.services.ledger import Booking
from payments.states import SHEET

TOLD = verbs.register("payments.told_by_sheet", _("Payment of the past noted"))


def book_past(payments: Sequence[Payment], *, actor: User | None) -> None:
    """Book payments that a sheet told of, in the transaction that writes their rows.

    Raises ValueError for a payment that a gateway captured.
    """
    if any(one.gateway != SHEET for one in payments):
        raise ValueError("only payments of sheets are booked so")
    ledger.book_captures(payments)
    ledger.book_all([_passed_on(one) for one in payments])
    amounts = [{"amount": str(one.captured)} for one in payments]
    record_each(TOLD, actor=actor, subjects=payments, context=amounts)


def _passed_on(payment: Payment) -> Booking:
    moment: datetime = payment.captured_at
    return Booking(
        key=f"payment:{payment.pk}:passed-on",
        kind=LedgerTransaction.Kind.PAYOUT,
        gateway=payment.gateway,
        amount=payment.captured,
        day=settling(payment.gateway).day(moment),
        payment=payment,
    )
