"""`manage.py money check`: each rule broken by hand names its row, and nothing else."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from orders.models import Charge
from payments.gateways.base import MovementKind
from payments.models import Dispute, Payment, ReconciledDay, Refund, RefundPart, triggers
from payments.services import checking, ledger
from tests.factories import AT, make_order, make_payment
from tests.payments import settled
from tests.simulator import SimulatorProcess


@pytest.fixture
def payment(db: None, eve: User) -> Payment:
    """A payment of £20 with a refund of £7 that went out for one line, and one of £2 asked for."""
    order = make_order(1_500, 500)
    Charge.objects.create(order=order, code="POST", quantity=1, source_price=3, total_minor=300)
    payment = make_payment(order, reference="pay_1")
    ledger.book_capture(payment)
    done = refund(payment, 700, "succeeded", eve)
    ledger.book_refund(done)
    refund(payment, 200, "requested", eve)
    Payment.objects.filter(pk=payment.pk).update(reserved_minor=900, refunded_minor=700)
    order.lines.filter(position=1).update(reserved_minor=900)
    return Payment.objects.get(pk=payment.pk)


def refund(payment: Payment, minor: int, state: str, by: User) -> Refund:
    made = Refund.objects.create(
        payment=payment, gateway="simulator", amount_minor=minor, currency="GBP", reason="Broken",
        state=state, requested_by=by, finished_at=AT,
    )  # fmt: skip
    RefundPart.objects.create(
        refund=made,
        order_line=payment.order.lines.get(position=1),
        amount_minor=minor,
        currency="GBP",
    )
    return made


def found() -> list[tuple[str, str]]:
    return [(wrong.rule, wrong.row.rpartition(" ")[0]) for wrong in checking.books()]


def sql(statement: str, *, lift: bool = False) -> None:
    """Write past every check and trigger of the database."""
    with connection.cursor() as cursor:
        if lift:
            triggers.lift(connection)
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = ON")
        else:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(
                "ALTER TABLE payments_payment DROP CONSTRAINT payment_captured_reserved_refunded"
            )
        cursor.execute(statement)
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = OFF")
        if lift:
            triggers.install(connection)


def test_books_that_agree_have_nothing_to_say(payment: Payment) -> None:
    out = StringIO()
    call_command("money", "check", stdout=out)
    assert out.getvalue() == "All rules hold.\n"


BROKEN = {
    "UPDATE payments_payment SET captured_minor = 800": [
        ("limits", "payment"),
        ("ledger", "payment"),
    ],
    "UPDATE payments_payment SET blocked_minor = 1200": [
        ("limits", "payment"),
        ("blocked", "payment"),
    ],
    "UPDATE payments_payment SET reserved_minor = 901": [("reserved", "payment")],
    "UPDATE payments_payment SET refunded_minor = 699": [("refunded", "payment")],
    "UPDATE payments_payment SET refunded_minor = 901": [
        ("limits", "payment"),
        ("refunded", "payment"),
    ],
    "UPDATE orders_orderline SET reserved_minor = 899 WHERE position = 1": [
        ("lines", "order line")
    ],
    "UPDATE orders_charge SET reserved_minor = 1": [("lines", "charge")],
    "UPDATE payments_refund SET amount_minor = 201 WHERE state = 'requested'": [
        ("reserved", "payment"),
        ("parts", "refund"),
    ],
    "UPDATE payments_refund SET state = 'failed' WHERE state = 'succeeded'": [
        ("reserved", "payment"),
        ("refunded", "payment"),
        ("lines", "order line"),
        ("ledger", "refund"),
    ],
    "UPDATE payments_refund SET currency = 'EUR' WHERE state = 'requested'": [
        ("currency", "refund"),
        ("currency", "part of a refund"),
    ],
}


@pytest.mark.parametrize("statement", BROKEN)
def test_rule_broken_by_hand_is_named(payment: Payment, statement: str) -> None:
    sql(statement)
    assert found() == BROKEN[statement]


BROKEN_BOOKS = {
    "UPDATE payments_ledgerentry SET minor = 1999 WHERE minor = 2000": [
        ("balance", "booking"),
        ("ledger", "payment"),
    ],
    "UPDATE payments_ledgerentry SET currency = 'EUR' WHERE minor = -2000": [
        ("currency", "entry"),
    ],
    "DELETE FROM payments_ledgerentry WHERE minor IN (700, -700)": [
        ("balance", "booking"),
        ("ledger", "refund"),
    ],
}


@pytest.mark.parametrize("statement", BROKEN_BOOKS)
def test_books_changed_by_hand_are_named(payment: Payment, statement: str) -> None:
    sql(statement, lift=True)
    assert found() == BROKEN_BOOKS[statement]


def test_dispute_that_is_not_booked_is_named(payment: Payment) -> None:
    dispute = Dispute.objects.create(
        payment=payment, gateway="simulator", reference="d", amount_minor=5, currency="GBP",
        opened_at=AT,
    )  # fmt: skip
    assert found() == [("ledger", "dispute")]
    ledger.book_chargeback(dispute)
    assert found() == []


def test_closed_day_whose_books_changed_is_named(kim: User, settings: Settings) -> None:
    entry = {**settings.GATEWAYS["simulator"]}
    entry.pop("SETTLING", None)
    settings.GATEWAYS = {"simulator": entry}
    day = settled.match(settled.capture(settled.paid()))
    ReconciledDay.objects.filter(pk=day.pk).update(
        state="closed", closed_by=kim, closed_at=timezone.now(), sums=day.sums
    )
    settled.settle(settled.flat(MovementKind.FEE, -5))  # what came later is no part of it
    assert found() == []
    sql("UPDATE payments_settlemententry SET amount_minor = 1999 WHERE kind = 'capture'")
    assert found() == [("closed", "day at a gateway")]


def test_trigger_that_is_gone_is_named(payment: Payment) -> None:
    triggers.lift(connection)
    assert {rule for rule, _row in found()} == {"triggers"}


def test_command_prints_each_row_and_ends_with_one(payment: Payment) -> None:
    sql("UPDATE payments_payment SET refunded_minor = 699")
    out, error = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("money", "check", stdout=out, stderr=error)
    assert ended.value.code == 1
    assert out.getvalue() == (
        f"refunded: payment {payment.pk}: refunded £6.99, its refunds paid £7.00\n"
    )


def test_command_refuses_what_is_no_day(db: None) -> None:
    with pytest.raises(CommandError, match="2026-01-31"):
        call_command("money", "check", "--gateway", "--since", "yesterday")


def test_number_of_queries_does_not_grow_with_rows(
    payment: Payment, eve: User, django_assert_num_queries: Callable[..., object]
) -> None:
    rules = len(checking.RULES) + 4  # lines and charges, and four kinds of currency
    for _more in range(3):
        another = make_payment(make_order(100))
        ledger.book_capture(another)
    with django_assert_num_queries(rules):  # type: ignore[attr-defined]
        assert found() == []


def test_gateway_is_asked_and_believed_no_more_than_we(
    payment: Payment, simulator: SimulatorProcess
) -> None:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("money", "check", "--gateway", stdout=out, stderr=StringIO())
    assert out.getvalue() == f"gateway: payment {payment.pk}: simulator does not know it\n"


def test_gateway_that_is_not_set_up_is_named(payment: Payment, settings: Settings) -> None:
    settings.GATEWAYS = {}
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("money", "check", "--gateway", stdout=out, stderr=StringIO())
    assert "simulator is not set up" in out.getvalue()


def test_gateway_that_does_not_answer_counts_as_wrong(payment: Payment, settings: Settings) -> None:
    settings.GATEWAYS = {
        "simulator": {
            "BACKEND": "payments.gateways.simulator.Simulator",
            "OPTIONS": {"base_url": "http://127.0.0.1:9", "connect": 1, "read": 1},
        }
    }
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("money", "check", "--gateway", stdout=out, stderr=StringIO())
    assert "gave no answer" in out.getvalue()
