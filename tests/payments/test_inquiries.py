"""Inquiries take no money: nothing is booked or blocked by them, and they end."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.money import Money
from payments import services
from payments.gateways.base import DisputeSnapshot, DisputeState
from payments.models import Dispute, InboxEvent, LedgerTransaction, Payment
from payments.services import checking, disputes, events, ledger
from tests.factories import make_order, make_payment

pytestmark = pytest.mark.django_db
_S = DisputeState
NOW = timezone.now()


@pytest.fixture
def payment() -> Payment:
    payment = make_payment(make_order(2_000), captured=2_000)
    ledger.book_capture(payment)
    return payment


def told(
    payment: Payment, state: DisputeState, minor: int = 2_000, *, days: int = 0
) -> tuple[str, int, list[str]]:
    """Let a dispute be told; return its state, what the payment has blocked, and its bookings."""
    money = Money(minor, payment.currency)
    at = NOW - timedelta(days=days)
    disputes.note(payment, DisputeSnapshot("dp_1", money, state, opened_at=at))
    return stands(payment)


def stands(payment: Payment) -> tuple[str, int, list[str]]:
    payment.refresh_from_db()
    found = Dispute.objects.get()
    booked = LedgerTransaction.objects.filter(dispute=found).order_by("pk")
    assert list(checking.disputes_booked()) == []
    assert list(checking.blocked()) == []
    return found.status, payment.blocked_minor, [str(one.kind) for one in booked]


def test_inquiry_books_and_blocks_nothing_and_may_be_answered_by_a_refund(
    payment: Payment, eve: User
) -> None:
    assert told(payment, _S.INQUIRY) == ("inquiry", 0, [])
    assert Dispute.objects.get().closed_at is None
    assert disputes.short(payment) is None
    services.request_refund(payment.order, Money(2_000, "GBP"), actor=eve, reason="Inquiry")
    assert told(payment, _S.WON) == ("won", 0, [])
    assert Dispute.objects.get().closed_at is not None


def test_announced_chargeback_blocks_and_is_booked_when_it_comes(payment: Payment) -> None:
    assert told(payment, _S.ANNOUNCED) == ("announced", 2_000, [])
    assert told(payment, _S.OPEN, 1_500) == ("open", 1_500, ["chargeback"])
    assert Dispute.objects.get().amount_minor == 1_500
    assert told(payment, _S.ANNOUNCED) == ("open", 1_500, ["chargeback"])
    assert told(payment, _S.INQUIRY) == ("open", 1_500, ["chargeback"])
    assert told(payment, _S.WON) == ("won", 0, ["chargeback", "chargeback_reversed"])


def test_inquiry_that_becomes_a_dispute_is_booked_with_its_own_amount(payment: Payment) -> None:
    told(payment, _S.INQUIRY, 2_000)
    assert told(payment, _S.OPEN, 700) == ("open", 700, ["chargeback"])
    assert told(payment, _S.LOST, 700) == ("lost", 700, ["chargeback"])


@pytest.mark.parametrize("state", [_S.INQUIRY, _S.ANNOUNCED])
def test_what_led_to_nothing_ends_by_itself(payment: Payment, state: DisputeState) -> None:
    told(payment, state, days=disputes.INQUIRY_ENDS.days - 1)
    assert disputes.end_inquiries() == 0
    Dispute.objects.update(opened_at=NOW - disputes.INQUIRY_ENDS - timedelta(days=1))
    assert disputes.end_inquiries() == 1
    assert stands(payment) == ("won", 0, [])
    assert disputes.end_inquiries() == 0


@pytest.mark.parametrize(
    ("state", "stood"),
    [(_S.OPEN, ("open", 1_500, ["chargeback"])), (_S.ANNOUNCED, ("announced", 1_500, []))],
)
def test_inquiry_that_had_ended_comes_back_with_its_own_amount(
    payment: Payment, state: DisputeState, stood: tuple[str, int, list[str]]
) -> None:
    told(payment, _S.INQUIRY)
    told(payment, _S.WON)
    assert told(payment, state, 1_500) == stood


def test_dispute_that_was_won_is_booked_again_with_what_is_told_then(payment: Payment) -> None:
    told(payment, _S.OPEN)
    told(payment, _S.WON)
    both = ["chargeback", "chargeback_reversed"]
    assert told(payment, _S.ANNOUNCED, 1_500) == ("announced", 2_000, both)
    assert told(payment, _S.OPEN, 1_500) == ("open", 1_500, [*both, "chargeback"])


def test_chargeback_is_not_old_because_of_an_inquiry_that_was_heard_first(
    payment: Payment,
) -> None:
    for number, (state, days) in enumerate([(_S.INQUIRY, 0), (_S.OPEN, 1)]):
        columns = {
            "reference": "dp_1",
            "minor": 2_000,
            "currency": "GBP",
            "state": state.value,
            "reason": "",
            "opened_at": "",
            "answer_by": "",
        }
        InboxEvent.objects.create(
            gateway=payment.gateway,
            event_id=f"evt_{number}",
            kind="dispute",
            payment_reference=payment.reference,
            occurred_at=NOW - timedelta(days=days),
            dispute=columns,
            trusted=True,
        )
        events.process()
    assert stands(payment) == ("open", 2_000, ["chargeback"])


def test_open_dispute_does_not_end_by_itself(payment: Payment) -> None:
    told(payment, _S.OPEN, days=disputes.INQUIRY_ENDS.days + 1)
    assert disputes.end_inquiries() == 0
    assert stands(payment) == ("open", 2_000, ["chargeback"])


def test_refund_waits_while_an_announced_chargeback_lacks_its_money(
    payment: Payment, eve: User
) -> None:
    services.request_refund(payment.order, Money(500, "GBP"), actor=eve, reason="Broken")
    told(payment, _S.ANNOUNCED)
    assert disputes.short(payment) == "open"
