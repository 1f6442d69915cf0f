"""The ledger: what is booked, once, balanced, never changed; what the database itself refuses."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.models import Sum
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.money import Money
from payments.gateways.settling import settling
from payments.models import (
    Account,
    Dispute,
    GatewayVerification,
    LedgerEntry,
    LedgerTransaction,
    Payment,
    ReconciledDay,
    Refund,
    RefundAttempt,
    RefundPart,
    SettlementEntry,
    SettlementImport,
    triggers,
)
from payments.services import captures, ledger, record_capture
from tests.audit.conftest import sql
from tests.factories import AT, make_order, make_payment

DAY = AT.date()


@pytest.fixture
def payment(db: None) -> Payment:
    return make_payment(make_order(2_000), reference="pay_1")


@pytest.fixture
def refund(payment: Payment, eve: User) -> Refund:
    return Refund.objects.create(
        payment=payment,
        gateway=payment.gateway,
        amount_minor=700,
        currency="GBP",
        reason="Broken",
        state=Refund.State.SUCCEEDED,
        requested_by=eve,
        finished_at=AT + timedelta(days=1),
    )


@pytest.fixture
def dispute(payment: Payment) -> Dispute:
    return Dispute.objects.create(
        payment=payment,
        gateway="simulator",
        reference="dp_1",
        amount_minor=2_000,
        currency="GBP",
        opened_at=AT,
    )


def settled(**values: object) -> SettlementEntry:
    """Return a movement that the simulator settled on DAY."""
    source = SettlementImport.objects.create(gateway="simulator", source="api", day=DAY)
    given = {"kind": "capture", "amount_minor": 2_000, "fee_minor": 48, "row_hash": "a", **values}
    return SettlementEntry.objects.create(
        gateway="simulator", source=source, day=DAY, currency="GBP", **given
    )


def balance() -> dict[str, int]:
    """Return account -> sum in minor units, of accounts that are not at zero."""
    rows = LedgerEntry.objects.order_by("account").values("account").annotate(sum=Sum("minor"))
    return {row["account"]: row["sum"] for row in rows if row["sum"]}


def test_capture_is_owed_by_the_gateway_and_is_a_sale(payment: Payment) -> None:
    booked = ledger.book_capture(payment)
    assert balance() == {Account.CLEARING: 2_000, Account.SALES: -2_000}
    assert (booked.kind, booked.gateway, booked.day, booked.payment) == (
        "capture", "simulator", DAY, payment,
    )  # fmt: skip


def test_recorded_capture_is_booked_with_it(db: None) -> None:
    order = make_order(500)
    payment = record_capture(
        order, order.total, gateway="simulator", reference="p", captured_at=AT, actor=None
    )
    assert payment.bookings.get().key == f"payment:{payment.pk}:captured"


def test_refund_and_its_reversal_cancel_out(payment: Payment, refund: Refund) -> None:
    ledger.book_capture(payment)
    out = ledger.book_refund(refund)
    assert balance()[Account.CLEARING] == 1_300
    back = ledger.book_reversal(refund)
    assert (out.day, back.reverses) == (DAY + timedelta(days=1), out)
    assert balance() == {Account.CLEARING: 2_000, Account.SALES: -2_000}


def test_reversal_of_what_was_never_booked_is_refused(refund: Refund) -> None:
    with pytest.raises(LookupError):
        ledger.book_reversal(refund)


def test_chargeback_is_booked_each_time_the_money_is_taken(dispute: Dispute) -> None:
    assert ledger.book_chargeback_reversed(dispute) is None
    first = ledger.book_chargeback(dispute)
    assert ledger.book_chargeback(dispute) == first
    assert balance() == {Account.CHARGEBACKS: 2_000, Account.CLEARING: -2_000}
    won = ledger.book_chargeback_reversed(dispute)
    assert ledger.book_chargeback_reversed(dispute) == won
    assert balance() == {}
    again = ledger.book_chargeback(dispute)
    assert again.key == f"dispute:{dispute.pk}:chargeback:2"
    assert balance() == {Account.CHARGEBACKS: 2_000, Account.CLEARING: -2_000}


def test_fee_and_payout_leave_the_gateway(db: None) -> None:
    ledger.book_fee(settled())
    ledger.book_fee(settled(kind="fee", amount_minor=-30, fee_minor=0, row_hash="b"))
    payout = settled(kind="payout", amount_minor=-1_000, fee_minor=0, row_hash="c")
    assert ledger.book_fee(payout) is None
    ledger.book_payout(payout)
    assert balance() == {Account.BANK: 1_000, Account.CLEARING: -1_078, Account.FEES: 78}


def test_adjustment_goes_both_ways(db: None) -> None:
    for key, minor in (("a", 5), ("b", -12)):
        ledger.book_adjustment(key, gateway="simulator", day=DAY, amount=Money(minor, "GBP"))
    assert balance() == {Account.CLEARING: -7, Account.DIFFERENCES: 7}


def test_same_key_is_booked_once(payment: Payment, refund: Refund) -> None:
    for _again in range(2):
        ledger.book_capture(payment)
        ledger.book_refund(refund)
    assert (LedgerTransaction.objects.count(), LedgerEntry.objects.count()) == (2, 4)


def test_many_captures_are_booked_once_in_few_statements(
    db: None, django_assert_max_num_queries: object
) -> None:
    payments = [make_payment(make_order(100 + place)) for place in range(30)]
    ledger.book_capture(payments[3])
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        assert ledger.book_captures(payments) == 29
    assert ledger.book_captures(payments) == 0
    assert balance()[Account.CLEARING] == sum(payment.captured_minor for payment in payments)


def test_many_captures_are_recorded_as_one_is(db: None, kim: User) -> None:
    orders = [make_order(1_000, status="placed"), make_order(300)]
    given = [
        captures.Capture(order, order.total, "simulator", f"p{order.pk}", AT) for order in orders
    ]
    assert captures.record_captures(given, actor=kim) == 2
    for order in orders:
        payment = order.payments.get()
        order.refresh_from_db()
        assert (payment.captured, order.status) == (order.total, "paid")
        assert payment.history.get().history_user == kim
        assert payment.bookings.get().day == DAY
        assert events_of(payment) == [(kim, {"amount": str(order.total)})]


def events_of(payment: Payment) -> list[tuple[object, dict[str, str]]]:
    found = Event.objects.about(payment).filter(verb="payments.captured")
    return [(event.actor, event.context) for event in found]


def test_day_is_that_of_the_gateways_zone(payment: Payment, settings: Settings) -> None:
    settings.GATEWAYS = {"simulator": {"SETTLING": {"ZONE": "Asia/Seoul"}}}
    assert ledger.book_capture(payment).day == date(2011, 12, 1)  # 01:47 in Seoul


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 1_000), ("BHD", 12_345)])
def test_currencies_never_meet(payment: Payment, currency: str, minor: int) -> None:
    other = make_payment(make_order(1), captured=minor, currency=currency)
    ledger.book_captures([payment, other])
    rows = LedgerEntry.objects.filter(account=Account.CLEARING)
    assert dict(rows.values_list("currency", "minor")) == {"GBP": 2_000, currency: minor}


def test_closed_day_books_on_the_next_open_one(payment: Payment, kim: User) -> None:
    for days in (0, 1):
        close(DAY + timedelta(days=days), kim)
    other = make_payment(make_order(100))
    assert ledger.book_capture(payment).day == DAY + timedelta(days=2)
    ledger.book_captures([other])
    assert other.bookings.get().day == DAY + timedelta(days=2)


def close(day: date, by: User) -> ReconciledDay:
    return ReconciledDay.objects.create(
        gateway="simulator", day=day, state="closed", closed_by=by, closed_at=timezone.now()
    )


def header(**values: object) -> LedgerTransaction:
    given = {"key": "x", "kind": "adjustment", "gateway": "simulator", "currency": "GBP"}
    return LedgerTransaction.objects.create(**{**given, "day": DAY, **values})


def entry(booking: LedgerTransaction, minor: int, **values: str) -> LedgerEntry:
    given = {"account": Account.BANK, "currency": "GBP", **values}
    return LedgerEntry.objects.create(transaction=booking, minor=minor, **given)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sides", [(), (5,), (5, -4), (5, -4, -2)])
def test_database_commits_no_booking_that_does_not_balance(sides: tuple[int, ...]) -> None:
    def write() -> None:
        with transaction.atomic():
            booking = header()
            for minor in sides:
                entry(booking, minor)

    with pytest.raises(IntegrityError):
        write()
    assert not LedgerTransaction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_database_commits_what_balances_and_then_refuses_one_more_entry() -> None:
    with transaction.atomic():
        booking = header()
        for minor in (5, -3, -2):
            entry(booking, minor)
    with pytest.raises(IntegrityError), transaction.atomic():
        entry(booking, 7)
    assert booking.entries.count() == 3


@pytest.mark.sqlite
def test_sealed_booking_takes_no_entries_that_balance_either(db: None) -> None:
    booking = header()
    entry(booking, 5)
    entry(booking, -5)
    with pytest.raises(IntegrityError, match="sealed"), transaction.atomic():
        entry(booking, 1)


def test_database_refuses_an_entry_of_another_currency(db: None) -> None:
    booking = header()
    with pytest.raises(IntegrityError, match="another_currency"), transaction.atomic():
        entry(booking, 5, currency="JPY")
    entry(booking, 5)
    entry(booking, -5)


def test_database_refuses_to_book_on_a_closed_day(kim: User) -> None:
    close(DAY, kim)
    with pytest.raises(IntegrityError, match="closed_day"), transaction.atomic():
        header()


def grows(refund: Refund) -> dict[type[models.Model], models.Model]:
    """Return a row of each table that only grows."""
    booking = ledger.book_refund(refund)
    return {
        LedgerTransaction: booking,
        LedgerEntry: booking.entries.all()[0],
        RefundPart: RefundPart.objects.create(refund=refund, amount_minor=7, currency="GBP"),
        RefundAttempt: RefundAttempt.objects.create(refund=refund, kind="sent", outcome="unknown"),
        GatewayVerification: GatewayVerification.objects.create(
            gateway="a", backend="b", vendor="c", mode="test", ok=True, version="1"
        ),
    }


def refused(statement: str, *parameters: int) -> bool:
    """Say whether the database refused because rows may only be added."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
    except DatabaseError as error:
        return "only grows" in str(error)
    return False


def test_rows_of_the_books_are_neither_changed_nor_deleted(refund: Refund) -> None:
    for model, row in grows(refund).items():
        table = model._meta.db_table
        assert refused(f"UPDATE {table} SET id = id WHERE id = %s", row.pk), table  # noqa: S608
        assert refused(f"DELETE FROM {table} WHERE id = %s", row.pk), table  # noqa: S608


@pytest.mark.postgres
def test_books_are_not_truncated(refund: Refund) -> None:
    for model in grows(refund):
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        assert refused(f"TRUNCATE {model._meta.db_table} CASCADE"), model


@pytest.mark.sqlite
def test_books_are_not_replaced(payment: Payment) -> None:
    booking = ledger.book_capture(payment)
    assert refused(
        "INSERT OR REPLACE INTO payments_ledgertransaction"
        " (id, key, kind, gateway, currency, day, at)"
        " VALUES (%s, 'other', 'fee', 'x', 'GBP', '2011-11-30', '2011-11-30')",
        booking.pk,
    )


def test_lifted_triggers_come_back(db: None) -> None:
    triggers.lift(connection)
    assert triggers.ONLY_GROW.missing(connection)
    triggers.install(connection)
    assert not triggers.ONLY_GROW.missing(connection)


def test_moment_of_a_day(db: None, settings: Settings) -> None:
    settings.GATEWAYS = {"simulator": {"SETTLING": {"ZONE": "Europe/London"}}}
    begin, end = settling("simulator").bounds(date(2026, 3, 29))  # clocks go forward
    assert (begin, end) == (
        datetime(2026, 3, 29, 0, tzinfo=UTC), datetime(2026, 3, 29, 23, tzinfo=UTC),
    )  # fmt: skip
