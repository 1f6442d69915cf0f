"""What a gateway lists of our refunds after they are over here, again and again."""

from uuid import uuid4

import pytest

from backoffice.accounts.models import User
from backoffice.money import Money
from payments import services
from payments.gateways.base import Outcome, PaymentSnapshot, RefundSnapshot
from payments.models import Break, InboxEvent, Payment, Refund, RefundPart
from payments.services import checking, events, external
from payments.services.external import Heard, Word
from tests.payments.settled import paid, refunded

pytestmark = pytest.mark.django_db
_S = Refund.State


@pytest.fixture
def payment() -> Payment:
    return paid(2_000)


@pytest.fixture
def over(payment: Payment, eve: User) -> Refund:
    """Return a refund of 12.75 that ended without money here: people said so."""
    refund = Refund.objects.create(
        payment=payment,
        gateway=payment.gateway,
        amount_minor=1_275,
        currency="GBP",
        reason="Broken",
        state=_S.FAILED,
        requested_by=eve,
    )
    return whole(refund)


@pytest.fixture
def paid_back(payment: Payment, eve: User) -> Refund:
    """Return a refund of 12.75 that went out as "re_a"."""
    refund = whole(refunded(payment, 1_275, eve, reference="re_a"))
    held(payment, refund, _S.SUCCEEDED)
    return refund


def whole(refund: Refund) -> Refund:
    """Give it its one part."""
    RefundPart.objects.create(refund=refund, amount_minor=refund.amount_minor, currency="GBP")
    return refund


def held(payment: Payment, refund: Refund, state: str) -> None:
    """Let the refund stand in this state, with what the payment holds for it."""
    paid_out = refund.amount_minor if state == _S.SUCCEEDED else 0
    Refund.objects.filter(pk=refund.pk).update(state=state)
    Payment.objects.filter(pk=payment.pk).update(
        reserved_minor=refund.amount_minor, refunded_minor=paid_out
    )


def listed(refund: Refund, reference: str, outcome: Outcome = Outcome.SUCCEEDED) -> RefundSnapshot:
    return RefundSnapshot(reference, str(refund.number), refund.amount, outcome)


def follow(payment: Payment, *rows: RefundSnapshot) -> dict[str, Heard]:
    """Let the books follow this list; return reference -> what became of it."""
    payment.refresh_from_db()
    seen = PaymentSnapshot(payment.reference, payment.captured, Money(0, "GBP"), rows)
    replies = external.follow(payment, seen)
    assert list(checking.books()) == []
    return {reference: reply.heard for reference, reply in replies.items()}


def sums(payment: Payment) -> tuple[int, int]:
    payment.refresh_from_db()
    return payment.reserved_minor, payment.refunded_minor


@pytest.mark.parametrize("more", [725, 500])
def test_refund_that_was_paid_after_all_is_taken_in_once_and_voids_nobodys_request(
    payment: Payment, over: Refund, eve: User, more: int
) -> None:
    assert follow(payment, listed(over, "re_a")) == {"re_a": Heard.PERSON}
    assert sums(payment) == (1_275, 1_275)
    asked = services.request_refund(payment.order, Money(more, "GBP"), actor=eve, reason="More")
    for _time in range(2):
        follow(payment, listed(over, "re_a"))
    asked.refresh_from_db()
    assert (asked.state, sums(payment)) == (_S.REQUESTED, (1_275 + more, 1_275))
    assert payment.refunds.get(state=_S.EXTERNAL).gateway_ref == "re_a"
    assert Break.objects.count() == 1


def test_refund_that_people_called_failed_and_that_is_paid_under_its_reference_is_taken_in(
    payment: Payment, over: Refund
) -> None:
    Refund.objects.filter(pk=over.pk).update(gateway_ref="re_a")
    for _time in range(2):
        assert follow(payment, listed(over, "re_a")) == {"re_a": Heard.PERSON}
        assert sums(payment) == (1_275, 1_275)
    over.refresh_from_db()
    assert (over.state, over.gateway_ref) == (_S.FAILED, "")
    assert payment.refunds.get(state=_S.EXTERNAL).gateway_ref == "re_a"


@pytest.mark.parametrize("step", [1, -1])
def test_failed_copy_of_a_refund_that_is_paid_reverses_nothing(
    payment: Payment, paid_back: Refund, step: int
) -> None:
    rows = [listed(paid_back, "re_a"), listed(paid_back, "re_b", Outcome.FAILED)]
    replies = follow(payment, *rows[::step])
    paid_back.refresh_from_db()
    assert (paid_back.state, sums(payment)) == (_S.SUCCEEDED, (1_275, 1_275))
    assert replies == {"re_a": Heard.DONE, "re_b": Heard.NOTHING}


def test_refund_that_fails_alone_is_reversed(payment: Payment, paid_back: Refund) -> None:
    follow(payment, listed(paid_back, "re_a", Outcome.FAILED))
    paid_back.refresh_from_db()
    assert (paid_back.state, sums(payment)) == (_S.REVERSED, (0, 0))


def test_failed_copy_frees_no_money_of_an_unknown_refund(payment: Payment, over: Refund) -> None:
    held(payment, over, _S.UNKNOWN)
    follow(payment, listed(over, "re_b", Outcome.FAILED), listed(over, "re_a"))
    over.refresh_from_db()
    assert (over.state, over.gateway_ref) == (_S.SUCCEEDED, "re_a")
    assert sums(payment) == (1_275, 1_275)


def test_what_somebody_typed_as_a_number_is_in_no_key(payment: Payment, over: Refund) -> None:
    held(payment, over, _S.SUCCEEDED)
    typed = str(over.number).upper()
    word = Word("", typed, Money(9_000, "GBP"), Outcome.SUCCEEDED)
    for _time in range(2):
        assert external.hear(payment, word).heard is Heard.PERSON
    assert typed not in Break.objects.get().key


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Payment]:
    """Return at what the gateway is asked, which lists nothing."""
    found: list[Payment] = []

    def look(payment: Payment) -> dict[str, external.Reply]:
        found.append(payment)
        return {}

    monkeypatch.setattr(external, "look_at", look)
    return found


def test_hints_about_one_payment_are_answered_by_one_look(
    payment: Payment, looks: list[Payment]
) -> None:
    for number in range(5):
        InboxEvent.objects.create(
            gateway=payment.gateway,
            event_id=f"evt_{number}",
            kind="refund",
            payment_reference=payment.reference,
            number=str(uuid4()),
        )
    assert events.process() == 5
    assert looks == [payment]


def test_hints_of_unknown_payments_look_at_those_of_the_refunds_that_they_name(
    payment: Payment, over: Refund, eve: User, looks: list[Payment]
) -> None:
    other = refunded(paid(2_000), 500, eve)
    for number, refund in enumerate((over, other)):
        InboxEvent.objects.create(
            gateway=payment.gateway,
            event_id=f"evt_{number}",
            kind="refund",
            payment_reference="pay_elsewhere",
            number=str(refund.number),
        )
    events.process()
    assert sorted(one.pk for one in looks) == sorted([payment.pk, other.payment.pk])
