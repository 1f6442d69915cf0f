"""Settlements for tests: rows as a gateway tells them, of the simulator on DAY."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

from django.db import connection

from backoffice.accounts.models import User
from backoffice.money import Money
from payments.gateways.base import MovementKind, SettlementRow
from payments.models import (
    Break,
    Payment,
    ReconciledDay,
    Refund,
    SettlementEntry,
    SettlementImport,
)
from payments.services import ledger, reconciliation, settlements
from tests.factories import make_order, make_payment

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = AT.date()
_M = MovementKind
_numbers = count(1)


def paid(minor: int = 2_000, *, at: datetime = AT, currency: str = "GBP") -> Payment:
    """Return a payment of its own order, booked on the day of `at`."""
    number = next(_numbers)
    payment = make_payment(
        make_order(minor), captured=minor, reference=f"pay_{number}", currency=currency
    )
    Payment.objects.filter(pk=payment.pk).update(captured_at=at)
    payment.refresh_from_db()
    ledger.book_capture(payment)
    return payment


def refunded(payment: Payment, minor: int, by: User, *, reference: str | None = None) -> Refund:
    """Return a refund of the payment that went out at AT, booked."""
    refund = Refund.objects.create(
        payment=payment,
        gateway=payment.gateway,
        gateway_ref=f"re_{next(_numbers)}" if reference is None else reference,
        amount_minor=minor,
        currency=payment.currency,
        reason="Broken",
        state=Refund.State.SUCCEEDED,
        requested_by=by,
        finished_at=AT,
    )
    ledger.book_refund(refund)
    return refund


def capture(payment: Payment, *, fee: int = 0, **values: object) -> SettlementRow:
    """Return the movement of a payment that came in."""
    row = SettlementRow(
        kind=_M.CAPTURE,
        reference=payment.reference,
        payment_reference=payment.reference,
        number="",
        amount=payment.captured,
        fee=Money(fee, payment.currency),
        occurred_on=DAY,
        place="row 2",
    )
    return replace(row, **values)  # type: ignore[arg-type]


def refund(refund: Refund, **values: object) -> SettlementRow:
    """Return the movement of a refund that went out."""
    row = SettlementRow(
        kind=_M.REFUND,
        reference=refund.gateway_ref,
        payment_reference=refund.payment.reference,
        number=str(refund.number),
        amount=-refund.amount,
        fee=Money(0, refund.currency),
        occurred_on=DAY,
        place="row 3",
    )
    return replace(row, **values)  # type: ignore[arg-type]


def strange(payment: Payment, minor: int = 300, **values: object) -> SettlementRow:
    """Return a refund that nobody here asked for."""
    row = SettlementRow(
        kind=_M.REFUND,
        reference="re_strange",
        payment_reference=payment.reference,
        number="",
        amount=Money(-minor, payment.currency),
        fee=Money(0, payment.currency),
        occurred_on=DAY,
        place="row 4",
    )
    return replace(row, **values)  # type: ignore[arg-type]


def flat(kind: MovementKind, minor: int, currency: str = "GBP") -> SettlementRow:
    """Return a fee or a payout."""
    money = Money(minor, currency)
    return SettlementRow(kind, f"{kind}_{minor}", "", "", money, money * 0, DAY, "row 9")


def settle(*rows: SettlementRow, day: date = DAY, gateway: str = "simulator") -> SettlementImport:
    """Store what the gateway tells of a day."""
    source = SettlementImport(gateway=gateway, source="api", day=day)
    return settlements.take(source, rows, actor=None)


def match(*rows: SettlementRow, day: date = DAY, lag: int = 1) -> ReconciledDay:
    """Settle the rows of the day, and nothing on the days that may bring late ones; match."""
    settle(*rows, day=day)
    for later in range(1, lag + 1):
        settle(day=day + timedelta(days=later))
    return reconciliation.match_day("simulator", day, actor=None)


def breaks() -> list[tuple[str, str, int | None, int | None]]:
    """Return kind, state, ours and theirs of every break."""
    found = Break.objects.order_by("pk")
    return list(found.values_list("kind", "state", "ours_minor", "theirs_minor"))


def entries() -> list[tuple[str, str, int]]:
    """Return kind, reference and amount of every movement."""
    rows: Sequence[tuple[str, str, int]] = list(
        SettlementEntry.objects.order_by("pk").values_list("kind", "reference", "amount_minor")
    )
    return list(rows)


def backdate(source: SettlementImport, at: datetime) -> None:
    """Let an import have come at another time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_settlementimport SET at = %s WHERE id = %s", [at, source.pk]
        )
