"""Mail about refunds: who asked hears the end, the customer hears of money, nobody else."""

import pytest
from django.core import mail as django_mail

from backoffice.accounts.models import User
from backoffice.mail import delivery
from backoffice.mail.models import Mail
from backoffice.mail.registry import Outside
from backoffice.mail.services import LinkError, queue
from backoffice.money import Money
from customers.models import Customer
from customers.services.reading import READERS
from payments import services
from payments.models import Refund
from payments.services.moves import move
from payments.states import RefundState
from tests.factories import make_customer, make_order, make_payment

ADDRESS = "clara.lindqvist@example.org"
S = RefundState


def ended(eve: User, to: RefundState, **customer: str) -> Refund:
    order = make_order(1_000, customer=make_customer(**customer))
    make_payment(order)
    refund = services.request_refund(order, Money(400, "GBP"), actor=eve, reason="Broken")
    for state in (S.APPROVED, S.EXECUTING, to):
        assert move(refund, state, actor=None)
    return refund


def test_customer_gets_a_mail_when_money_went_back(eve: User) -> None:
    refund = ended(eve, S.SUCCEEDED, name="Clara Lindqvist", email=ADDRESS)
    row = Mail.objects.get(template="payments.refunded")
    customer = refund.payment.order.customer
    assert customer is not None
    assert (row.to_user, row.to_kind, row.to_key) == (None, READERS, str(customer.pk))
    assert row.reader == customer.number
    stored = f"{row.subject} {row.context} {row.reason} {row.problem}"
    assert "lara" not in stored
    assert ADDRESS not in stored
    sent = delivery.compose(row)
    assert sent.to == [ADDRESS]
    assert "£4.00" in sent.body
    assert refund.payment.order.number in sent.body
    assert "Clara" not in sent.body


def test_mail_leaves_through_the_outbox(eve: User) -> None:
    ended(eve, S.SUCCEEDED, email=ADDRESS)
    row = Mail.objects.get(template="payments.refunded")
    assert delivery._claim(row)
    assert delivery.deliver(row)
    assert [one.to for one in django_mail.outbox] == [[ADDRESS]]


@pytest.mark.parametrize("state", [S.FAILED, S.UNKNOWN, S.PENDING])
def test_customer_hears_nothing_of_what_did_not_go_out(eve: User, state: RefundState) -> None:
    ended(eve, state, email=ADDRESS)
    assert not Mail.objects.filter(template="payments.refunded").exists()


def test_customer_without_an_address_gets_nothing(eve: User) -> None:
    ended(eve, S.SUCCEEDED)
    assert not Mail.objects.filter(template="payments.refunded").exists()


def test_customer_who_lost_the_address_meanwhile_gets_nothing(eve: User) -> None:
    ended(eve, S.SUCCEEDED, email=ADDRESS)
    for customer in Customer.objects.all():
        customer.email = ""
        customer.save()
    with pytest.raises(delivery.NotSentError, match="no address"):
        delivery.compose(Mail.objects.get(template="payments.refunded"))


@pytest.mark.parametrize("state", [S.SUCCEEDED, S.FAILED])
def test_maker_hears_the_end(eve: User, state: RefundState) -> None:
    refund = ended(eve, state)
    row = Mail.objects.get(template="payments.refund_ended")
    assert (row.to_user, row.context["state"]) == (eve, str(state.label))
    assert refund.code in delivery.compose(row).body


def test_reader_outside_gets_no_link_and_has_to_be_of_a_known_kind(db: None) -> None:
    facts = {"order": "1", "amount": "£1.00"}
    with pytest.raises(LinkError):
        queue(
            "payments.refunded",
            to=Outside(READERS, "1"),
            context={**facts, "link": "/admin/"},
            reason="x",
            actor=None,
        )
    with pytest.raises(ValueError, match="nobody registered"):
        queue("payments.refunded", to=Outside("x.y", "1"), context=facts, reason="x", actor=None)
