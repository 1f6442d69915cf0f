"""What has to hold between payments, refunds and the ledger; rules name the rows that break them.

The database compares; this reads only what disagrees, row by row, so that a million payments need
no more memory than one. `manage.py money check` prints it, a job does it every night.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    F,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from backoffice.money import Money
from orders.models import Charge, OrderLine
from payments.gateways import gateways
from payments.gateways.base import (
    GatewayUnavailableError,
    NotOfferedError,
    Outcome,
    PaymentSnapshot,
    PaymentUnknownError,
)
from payments.models import (
    Account,
    Dispute,
    LedgerEntry,
    LedgerTransaction,
    Payment,
    ReconciledDay,
    Refund,
    RefundPart,
    triggers,
)
from payments.services import reconciliation
from payments.services.alarms import Wrong
from payments.services.disputes import TAKEN
from payments.states import HOLDING, PAID_OUT, SHEET, RefundState

_K = LedgerTransaction.Kind
CHUNK = 2000


def books() -> Iterator[Wrong]:
    """Return every row that breaks a rule, rule by rule."""
    for rule in RULES:
        yield from rule()


def _sum(rows: QuerySet[Any], key: str, column: str = "amount_minor") -> Coalesce:
    """Return the sum of `column` over the rows whose `key` is the outer row, as a subquery."""
    sums = rows.filter(**{key: OuterRef("pk")}).order_by().values(key).annotate(sum=Sum(column))
    return Coalesce(Subquery(sums.values("sum")), Value(0), output_field=BigIntegerField())


def _differs(
    rows: QuerySet[Any], ours: Any, theirs: Any, names: tuple[str, str], rule: str
) -> Iterator[Wrong]:
    """Return the rows in which two sums are not the same; `names` are the words for both."""
    found = rows.annotate(one=ours, other=theirs).exclude(one=F("other")).order_by("pk")
    for row in found.iterator(CHUNK):
        currency = row.currency
        one, other = Money(row.one, currency), Money(row.other, currency)
        yield _wrong(rule, row, f"{names[0]} {one}, {names[1]} {other}")


def _wrong(rule: str, row: Model, text: str) -> Wrong:
    payment = row.pk if isinstance(row, Payment) else getattr(row, "payment_id", None)
    refund = row.pk if isinstance(row, Refund) else getattr(row, "refund_id", None)
    return Wrong(rule, f"{row._meta.verbose_name} {row.pk}", text, payment, refund)


def limits() -> Iterator[Wrong]:
    """Of each payment: captured >= reserved + blocked, reserved >= refunded, none below 0."""
    holds = Q(
        captured_minor__gte=F("reserved_minor") + F("blocked_minor"),
        reserved_minor__gte=F("refunded_minor"),
        refunded_minor__gte=0,
        blocked_minor__gte=0,
    )
    for payment in Payment.objects.exclude(holds).order_by("pk").iterator(CHUNK):
        text = (
            f"captured {payment.captured}, reserved"
            f" {Money(payment.reserved_minor, payment.currency)}, refunded {payment.refunded},"
            f" blocked {payment.blocked}"
        )
        yield _wrong("limits", payment, text)


def held_by_refunds() -> Iterator[Wrong]:
    """What a payment holds is the sum of its refunds that hold, in its own currency."""
    holding = _sum(Refund.objects.filter(state__in=HOLDING), "payment")
    names = ("reserved", "its refunds hold")
    yield from _differs(Payment.objects.all(), F("reserved_minor"), holding, names, "reserved")


def paid_out() -> Iterator[Wrong]:
    """What a payment has refunded is the sum of its refunds that went out."""
    done = _sum(Refund.objects.filter(state__in=PAID_OUT), "payment")
    names = ("refunded", "its refunds paid")
    yield from _differs(Payment.objects.all(), F("refunded_minor"), done, names, "refunded")


def blocked() -> Iterator[Wrong]:
    """What a payment has blocked is what its disputes block."""
    by_disputes = _sum(Dispute.objects.all(), "payment", "blocked_minor")
    names = ("blocked", "its disputes block")
    yield from _differs(Payment.objects.all(), F("blocked_minor"), by_disputes, names, "blocked")


def parts_of_refunds() -> Iterator[Wrong]:
    """The parts of a refund add up to its amount; an external one may have none."""
    parts = _sum(RefundPart.objects.all(), "refund")
    names = ("amount", "its parts")
    rows = Refund.objects.exclude(state__in=_WITHOUT_PARTS, parts=None)
    yield from _differs(rows, F("amount_minor"), parts, names, "parts")


_WITHOUT_PARTS = (RefundState.EXTERNAL, RefundState.REVERSED)


def held_on_lines() -> Iterator[Wrong]:
    """What an order line or a charge holds is the sum of the parts of refunds that hold."""
    parts = RefundPart.objects.filter(refund__state__in=HOLDING)
    names = ("reserved", "parts of refunds hold")
    for model, key in ((OrderLine, "order_line"), (Charge, "charge")):
        rows: QuerySet[Any] = model._default_manager.all()
        yield from _differs(rows, F("reserved_minor"), _sum(parts, key), names, "lines")


def currencies() -> Iterator[Wrong]:
    """Refunds, their parts and their bookings are in the currency of the payment."""
    checks: tuple[tuple[QuerySet[Any], str], ...] = (
        (Refund.objects.all(), "payment__currency"),
        (RefundPart.objects.all(), "refund__currency"),
        (LedgerTransaction.objects.filter(refund__isnull=False), "refund__currency"),
        (LedgerEntry.objects.all(), "transaction__currency"),
    )
    for rows, path in checks:
        for row in rows.annotate(right=F(path)).exclude(currency=F("right")).iterator(CHUNK):
            yield _wrong("currency", row, f"{row.currency} of {row.right}")


def balanced() -> Iterator[Wrong]:
    """The entries of a booking, two at least, add up to nothing."""
    rows = (
        LedgerTransaction.objects.annotate(sum=Coalesce(Sum("entries__minor"), 0))
        .annotate(count=Count("entries"))
        .filter(~Q(sum=0) | Q(count__lt=2))
        .order_by("pk")
    )
    for row in rows.iterator(CHUNK):
        text = f"{row.count} entries add up to {Money(row.sum, row.currency)}"
        yield _wrong("balance", row, text)


def _booked(key: str, kinds: tuple[str, ...]) -> Coalesce:
    """Return what bookings of these kinds changed of the money at gateways, as a subquery."""
    entries = LedgerEntry.objects.filter(account=Account.CLEARING, transaction__kind__in=kinds)
    return _sum(entries, f"transaction__{key}", "minor")


def captures_booked() -> Iterator[Wrong]:
    """Each payment is booked once, with what was captured."""
    booked = _booked("payment", (_K.CAPTURE,))
    names = ("captured", "the ledger says")
    yield from _differs(Payment.objects.all(), F("captured_minor"), booked, names, "ledger")


def refunds_booked() -> Iterator[Wrong]:
    """Each refund that went out, and is not back, is booked once; no other is."""
    out = Case(When(state__in=PAID_OUT, then=-F("amount_minor")), default=Value(0))
    booked = _booked("refund", (_K.REFUND, _K.REFUND_REVERSED))
    names = ("refund", "the ledger says")
    yield from _differs(Refund.objects.all(), out, booked, names, "ledger")


def disputes_booked() -> Iterator[Wrong]:
    """Each dispute that is open or lost is booked once; no other is."""
    out = Case(When(status__in=TAKEN, then=-F("amount_minor")), default=Value(0))
    booked = _booked("dispute", (_K.CHARGEBACK, _K.CHARGEBACK_REVERSED))
    names = ("dispute", "the ledger says")
    yield from _differs(Dispute.objects.all(), out, booked, names, "ledger")


def closed_days() -> Iterator[Wrong]:
    """A closed day says what ledger and settlement of the day said when it was closed."""
    closed = ReconciledDay.objects.filter(state=ReconciledDay.State.CLOSED).order_by("pk")
    for day in closed.iterator(CHUNK):
        now = reconciliation.sums(day.gateway, day.day, until=day.closed_at)
        if now != day.sums:
            yield _wrong("closed", day, f"{day} was closed with {day.sums}, and is {now}")


def guarded() -> Iterator[Wrong]:
    """The database refuses to change the books."""
    for name in triggers.ONLY_GROW.missing(connection):
        yield Wrong("triggers", name, "this trigger is not there: migrate, or look who took it")


RULES: tuple[Callable[[], Iterator[Wrong]], ...] = (
    limits,
    held_by_refunds,
    paid_out,
    blocked,
    parts_of_refunds,
    held_on_lines,
    currencies,
    balanced,
    captures_booked,
    refunds_booked,
    disputes_booked,
    closed_days,
    guarded,
)


def at_gateways(since: datetime, until: datetime, limit: int) -> Iterator[Wrong]:
    """Return what gateways say otherwise of the newest `limit` payments captured in a time.

    Each is asked for once. A gateway that does not answer counts as wrong; one that cannot be asked
    at all (bank transfers) is left out.
    """
    payments = Payment.objects.filter(captured_at__gte=since, captured_at__lt=until)
    for payment in payments.order_by("-captured_at", "-pk")[:limit]:
        for text in _said_otherwise(payment):
            yield _wrong("gateway", payment, text)


def _said_otherwise(payment: Payment) -> Iterator[str]:
    if payment.gateway == SHEET:
        return  # a sheet told of it: there is nobody to ask
    if payment.gateway not in gateways:
        yield f"its gateway {payment.gateway} is not set up"
        return
    try:
        told = gateways[payment.gateway].fetch_payment(payment.reference)
    except NotOfferedError:
        return
    except PaymentUnknownError:
        yield f"{payment.gateway} does not know it"
        return
    except GatewayUnavailableError as error:
        yield f"{payment.gateway} gave no answer: {error}"
        return
    if told.captured != payment.captured:
        yield f"captured {payment.captured}, {payment.gateway} says {told.captured}"
    yield from _other_refunds(payment, told)


def _other_refunds(payment: Payment, told: PaymentSnapshot) -> Iterator[str]:
    ours = {
        refund.gateway_ref: refund.amount
        for refund in payment.refunds.filter(state__in=[*PAID_OUT, RefundState.PENDING])
        if refund.gateway_ref
    }
    theirs = {one.reference: one.amount for one in told.refunds if one.outcome in _GOING_OUT}
    for reference in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(reference), theirs.get(reference)
        if one != other:
            yield f"refund {reference}: {one or 'none'} here, {other or 'none'} there"


_GOING_OUT = (Outcome.SUCCEEDED, Outcome.PENDING)
