"""Mail about refunds: who asked hears the end, the customer hears of money, nobody else."""

import logging
from collections.abc import Callable

import pytest
from django.core import mail as django_mail
from django.db import connection

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.mail import delivery
from backoffice.mail.models import Mail
from backoffice.mail.registry import Outside
from backoffice.mail.services import LinkError, queue
from backoffice.money import Money
from customers.models import Customer
from customers.services.reading import READERS
from orders.models import Order
from payments import services
from payments.models import Refund
from payments.services import telling
from payments.services.moves import VERBS, move
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


def cannot_be_named(_refund: Refund, _patch: pytest.MonkeyPatch) -> None:
    """A sheet brought in a number that mails refuse, since it reads like an address."""
    Order.objects.update(number="clara@shop.example")


def cannot_be_stored(_refund: Refund, patch: pytest.MonkeyPatch) -> None:
    """The outbox takes no row; on PostgreSQL such an error ends a transaction."""

    def queue(*_args: object, **_facts: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO no_outbox VALUES (1)")

    patch.setattr("backoffice.mail.services.queue", queue)


@pytest.mark.parametrize("spoil", [cannot_be_named, cannot_be_stored])
@pytest.mark.parametrize(
    ("state", "refunded"), [(S.SUCCEEDED, 400), (S.FAILED, 0), (S.NEEDS_REVIEW, 0)]
)
def test_outcome_is_recorded_though_nobody_can_be_told(
    eve: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    state: RefundState,
    refunded: int,
    spoil: Callable[[Refund, pytest.MonkeyPatch], None],
) -> None:
    refund = ended(eve, S.UNKNOWN, email=ADDRESS)
    spoil(refund, monkeypatch)
    refund = Refund.objects.get(pk=refund.pk)
    with caplog.at_level(logging.ERROR, logger="payments"):
        assert move(refund, state, actor=None)
    found = Refund.objects.select_related("payment").get(pk=refund.pk)
    assert (found.state, found.payment.refunded_minor) == (state, refunded)
    assert Event.objects.about(found).filter(verb=VERBS[state]).exists()
    assert not Mail.objects.filter(template__in=(telling.ENDED, telling.PAID_BACK)).exists()
    assert f"nobody could be told of refund {found.number}" in caplog.text
    assert "clara" not in caplog.messages[-1]


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
