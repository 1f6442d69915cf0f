"""Booking money: double entry, once by key, in the transaction of what caused it.

| what happened | debit | credit |
|---|---|---|
| payment captured | money at gateways | sales |
| refund done, external as well | refunds | money at gateways |
| refund reversed | money at gateways | refunds |
| chargeback | chargebacks | money at gateways |
| chargeback taken back | money at gateways | chargebacks |
| fee kept | fees of gateways | money at gateways |
| payout | bank | money at gateways |
| difference agreed on by two people | money at gateways | differences (or the other way round) |

So "money at gateways" is what each gateway owes us. A booking whose day was closed goes to the next
open day. Nothing is corrected: what was wrong is booked the other way round. Whoever causes a
booking writes the event; the ledger itself is a record that only grows (`models/triggers.py`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import batched

from django.db import transaction
from django.utils import timezone

from backoffice.money import Money
from payments.gateways.settling import settling
from payments.models import (
    Account,
    Dispute,
    LedgerEntry,
    LedgerTransaction,
    Payment,
    ReconciledDay,
    Refund,
    SettlementEntry,
)

_A = Account
_K = LedgerTransaction.Kind
# kind -> (debit, credit) of an amount above zero
SIDES: dict[str, tuple[Account, Account]] = {
    _K.CAPTURE: (_A.CLEARING, _A.SALES),
    _K.REFUND: (_A.RETURNS, _A.CLEARING),
    _K.REFUND_REVERSED: (_A.CLEARING, _A.RETURNS),
    _K.CHARGEBACK: (_A.CHARGEBACKS, _A.CLEARING),
    _K.CHARGEBACK_REVERSED: (_A.CLEARING, _A.CHARGEBACKS),
    _K.FEE: (_A.FEES, _A.CLEARING),
    _K.PAYOUT: (_A.BANK, _A.CLEARING),
    _K.ADJUSTMENT: (_A.CLEARING, _A.DIFFERENCES),
}
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Booking:
    """What is to be booked: `amount` from the first account of SIDES to the second.

    Below zero it goes the other way round. `day` is the day at the gateway.
    """

    key: str
    kind: LedgerTransaction.Kind
    gateway: str
    amount: Money
    day: date
    payment: Payment | None = None
    refund: Refund | None = None
    dispute: Dispute | None = None
    reverses: LedgerTransaction | None = None


def book(booking: Booking) -> LedgerTransaction:
    """Write one booking, or return the one of this key; ValueError for an amount of nothing."""
    if not booking.amount:
        raise ValueError("nothing is not booked")
    with transaction.atomic():
        known = LedgerTransaction.objects.filter(key=booking.key).first()
        if known is not None:
            return known
        day = open_day(booking.gateway, booking.day)
        written, created = LedgerTransaction.objects.get_or_create(
            key=booking.key, defaults=_columns(booking) | {"day": day}
        )
        if created:
            LedgerEntry.objects.bulk_create(_entries(written, booking))
    return written


def book_all(bookings: Sequence[Booking]) -> int:
    """Write many bookings, those of known keys left out; return how many were new."""
    written = 0
    for part in batched(bookings, BATCH):
        with transaction.atomic():
            written += _book_part(part)
    return written


def book_capture(payment: Payment) -> LedgerTransaction:
    """Book that a payment came in."""
    return book(_capture(payment))


def book_captures(payments: Iterable[Payment]) -> int:
    """Book many payments that came in; return how many were new."""
    return book_all([_capture(payment) for payment in payments])


def book_refund(refund: Refund) -> LedgerTransaction:
    """Book that a refund went out, by us or at the gateway."""
    return book(
        Booking(
            key=f"refund:{refund.pk}:done",
            kind=_K.REFUND,
            gateway=refund.payment.gateway,
            amount=refund.amount,
            day=settling(refund.payment.gateway).day(refund.finished_at or timezone.now()),
            payment=refund.payment,
            refund=refund,
        )
    )


def book_reversal(refund: Refund) -> LedgerTransaction:
    """Book that the money of a refund came back; LookupError where it was never booked out."""
    out = LedgerTransaction.objects.filter(key=f"refund:{refund.pk}:done").first()
    if out is None:
        raise LookupError(f"refund {refund.pk} was not booked")
    return book(
        Booking(
            key=f"refund:{refund.pk}:reversed",
            kind=_K.REFUND_REVERSED,
            gateway=out.gateway,
            amount=refund.amount,
            day=settling(out.gateway).today(),
            payment=refund.payment,
            refund=refund,
            reverses=out,
        )
    )


def book_chargeback(dispute: Dispute) -> LedgerTransaction:
    """Book that a dispute took money back; nothing while it is booked already.

    A dispute may be decided, opened again and decided anew: each time has a number.
    """
    taken, returned = _times(dispute)
    if len(taken) > len(returned):
        return taken[-1]
    return book(_chargeback(dispute, _K.CHARGEBACK, len(taken) + 1, dispute.opened_at))


def was_taken(dispute: Dispute) -> bool:
    """Say whether the money of the dispute was ever booked as taken."""
    return bool(_times(dispute)[0])


def book_chargeback_reversed(dispute: Dispute) -> LedgerTransaction | None:
    """Book that the money of a dispute is ours again; None where none had been taken."""
    taken, returned = _times(dispute)
    if len(taken) == len(returned):
        return returned[-1] if returned else None
    ended = dispute.closed_at or timezone.now()
    return book(_chargeback(dispute, _K.CHARGEBACK_REVERSED, len(taken), ended, taken[-1]))


def book_fee(entry: SettlementEntry) -> LedgerTransaction | None:
    """Book what the gateway kept, for one movement or in a row of its own; None for nothing."""
    fees = fees_of([entry])
    return book(fees[0]) if fees else None


def book_payout(entry: SettlementEntry) -> LedgerTransaction:
    """Book what the gateway paid to our bank account."""
    return book(payout_of(entry))


def book_adjustment(
    key: str,
    *,
    gateway: str,
    day: date,
    amount: Money,
    payment: Payment | None = None,
    refund: Refund | None = None,
) -> LedgerTransaction:
    """Book a difference that two people agreed on; above zero the gateway owes us more."""
    return book(Booking(key, _K.ADJUSTMENT, gateway, amount, day, payment, refund))


def fees_of(entries: Iterable[SettlementEntry]) -> list[Booking]:
    """Return the bookings of what was kept: the fee of each row, and rows that are fees."""
    return [
        Booking(f"settled:{entry.pk}:fee", _K.FEE, entry.gateway, amount, entry.day, entry.payment)
        for entry in entries
        if (amount := kept(entry))
    ]


def kept(entry: SettlementEntry) -> Money:
    """Return what the gateway kept by a row."""
    return entry.fee - entry.amount if entry.kind == "fee" else entry.fee


def payout_of(entry: SettlementEntry) -> Booking:
    """Return the booking of a payout."""
    key = f"settled:{entry.pk}:payout"
    return Booking(key, _K.PAYOUT, entry.gateway, -entry.amount, entry.day)


def open_day(gateway: str, day: date) -> date:
    """Return the day itself, or the next that was not closed.

    The row of a past day is locked until the end of the transaction, so that nobody closes it
    while something is booked on it. Today cannot be closed.
    """
    if day >= settling(gateway).today():
        return day
    return _next_open(day, closed_days(gateway, day, lock=True))


def closed_days(gateway: str, since: date, *, lock: bool = False) -> set[date]:
    """Return which days of the gateway were closed, from a day on; `lock` needs a transaction."""
    days = ReconciledDay.objects.filter(gateway=gateway, day__gte=since).order_by("day")
    rows = (days.select_for_update() if lock else days).values_list("day", "state")
    return {day for day, state in rows if state == ReconciledDay.State.CLOSED}


def _next_open(day: date, closed: Collection[date]) -> date:
    while day in closed:
        day += timedelta(days=1)
    return day


def _book_part(bookings: Sequence[Booking]) -> int:
    keys = [booking.key for booking in bookings]
    known = set(LedgerTransaction.objects.filter(key__in=keys).values_list("key", flat=True))
    new = [booking for booking in bookings if booking.key not in known]
    first: dict[str, date] = {}
    for booking in new:
        first[booking.gateway] = min(first.get(booking.gateway, booking.day), booking.day)
    closed = {gateway: closed_days(gateway, day, lock=True) for gateway, day in first.items()}
    made = LedgerTransaction.objects.bulk_create(
        LedgerTransaction(
            key=booking.key,
            day=_next_open(booking.day, closed[booking.gateway]),
            **_columns(booking),
        )
        for booking in new
    )
    entries = (
        entry
        for written, booking in zip(made, new, strict=True)
        for entry in _entries(written, booking)
    )
    LedgerEntry.objects.bulk_create(entries)
    return len(new)


def _columns(booking: Booking) -> dict[str, object]:
    return {
        "kind": booking.kind,
        "gateway": booking.gateway,
        "currency": booking.amount.currency,
        "payment": booking.payment,
        "refund": booking.refund,
        "dispute": booking.dispute,
        "reverses": booking.reverses,
    }


def _entries(written: LedgerTransaction, booking: Booking) -> list[LedgerEntry]:
    """Return the two sides; debit is positive."""
    debit, credit = SIDES[booking.kind]
    minor, currency = booking.amount.minor, booking.amount.currency
    return [
        LedgerEntry(transaction=written, account=debit, minor=minor, currency=currency),
        LedgerEntry(transaction=written, account=credit, minor=-minor, currency=currency),
    ]


def _capture(payment: Payment) -> Booking:
    return Booking(
        key=f"payment:{payment.pk}:captured",
        kind=_K.CAPTURE,
        gateway=payment.gateway,
        amount=payment.captured,
        day=settling(payment.gateway).day(payment.captured_at),
        payment=payment,
    )


def _chargeback(
    dispute: Dispute,
    kind: LedgerTransaction.Kind,
    number: int,
    moment: datetime,
    reverses: LedgerTransaction | None = None,
) -> Booking:
    return Booking(
        key=f"dispute:{dispute.pk}:{kind}:{number}",
        kind=kind,
        gateway=dispute.gateway,
        amount=dispute.amount,
        day=settling(dispute.gateway).day(moment),
        payment=dispute.payment,
        dispute=dispute,
        reverses=reverses,
    )


def _times(dispute: Dispute) -> tuple[list[LedgerTransaction], list[LedgerTransaction]]:
    """Return the bookings of money taken by the dispute, and of money that came back."""
    bookings = list(LedgerTransaction.objects.filter(dispute=dispute).order_by("pk"))
    taken = [booking for booking in bookings if booking.kind == _K.CHARGEBACK]
    returned = [booking for booking in bookings if booking.kind == _K.CHARGEBACK_REVERSED]
    return taken, returned
