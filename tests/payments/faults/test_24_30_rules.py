"""24, 28-30: approvals that do not hold any more, refunds to exactly zero, keys, transactions."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.core.handlers.base import BaseHandler
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.services import expire_old
from backoffice.money import Money
from orders.models import Order
from payments import services
from payments.models import Payment, Refund
from payments.services import stops
from payments.services.moves import move
from tests.contracts.peers import Peer, Said
from tests.factories import make_line, make_order, make_payment
from tests.payments.faults.telling import (
    State,
    again,
    assert_never,
    assert_once,
    paid_back,
    reconcile,
    sums,
)
from tests.payments.test_gateways import SimulatorPeer
from tests.people import make_person

pytestmark = pytest.mark.django_db
type Approved = Callable[..., Refund]
type Paid = Callable[..., Payment]


def test_24_maker_does_not_approve_even_as_superuser(sim: SimulatorPeer, paid: Paid) -> None:
    root = make_person("root24")
    root.is_superuser = True
    root.save()
    refund = services.request_refund(
        paid(sim).order, Money(1_275, "GBP"), actor=root, reason="Mine"
    )
    with pytest.raises(PermissionDenied):
        services.approve_refund(refund, actor=root)
    services.execute(again(refund))
    assert again(refund).state == State.REQUESTED
    assert_never(refund, sim)


def test_24_amount_changed_after_approval_is_never_sent(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    Refund.objects.filter(pk=refund.pk).update(reason="x", amount_minor=1_276)
    Payment.objects.filter(pk=refund.payment_id).update(reserved_minor=1_276)
    services.execute(again(refund))
    assert (again(refund).state, paid_back(sim, refund)) == (State.VOID, [])


def test_24_right_lost_between_approval_and_sending(
    sim: SimulatorPeer, paid: Paid, eve: User
) -> None:
    checker = make_person("cho24", "finance")
    refund = services.request_refund(
        paid(sim).order, Money(1_275, "GBP"), actor=eve, reason="Damaged"
    )
    services.approve_refund(refund, actor=checker)
    checker.groups.clear()
    services.execute(again(refund))
    assert (again(refund).state, paid_back(sim, refund), sums(refund)) == (State.VOID, [], (0, 0))


def test_24_request_that_ran_out_and_approval_that_got_old_are_not_sent(
    sim: SimulatorPeer, paid: Paid, approved: Approved, eve: User
) -> None:
    asked = services.request_refund(
        paid(sim).order, Money(1_275, "GBP"), actor=eve, reason="Damaged"
    )
    ApprovalRequest.objects.filter(refund=asked).update(expires_at=timezone.now())
    expire_old()
    old = approved(sim)
    decided = timezone.now() - timedelta(hours=73)
    ApprovalRequest.objects.filter(refund=old).update(decided_at=decided)
    for refund in (asked, old):
        services.execute(again(refund))
        assert sums(refund) == (0, 0)
    states = [again(refund).state for refund in (asked, old)]
    assert (states, paid_back(sim, old)) == ([State.EXPIRED, State.VOID], [])


def test_stopped_gateway_sends_nothing_and_loses_nothing(
    sim: SimulatorPeer, approved: Approved, max_: User
) -> None:
    refund, open_ = approved(sim), approved(sim)
    sim.say(Said(500, b"{}"))
    services.execute(open_)
    assert open_.state == State.UNKNOWN
    boss = make_person("bo24", "owner")
    stopped = stops.stop("simulator", actor=boss, reason="Odd things")
    sent = len(sim.seen())
    services.execute(refund)
    assert again(refund).answer
    reconcile(refund, open_)
    assert len(sim.seen()) == sent
    assert [again(one).state for one in (refund, open_)] == [State.APPROVED, State.UNKNOWN]
    stops.resume(stopped, actor=max_, reason="Found out")
    reconcile(refund, open_)
    assert_once(refund, sim)
    assert_once(open_, sim)


@pytest.mark.parametrize(("currency", "parts"), [("GBP", 100), ("JPY", 10), ("BHD", 10)])
def test_28_hundred_partial_refunds_end_at_exactly_zero(
    eve: User, currency: str, parts: int
) -> None:
    order = make_order(3_333, 3_334)
    make_line(order, 3_333, position=3, quantity=7)
    Order.objects.filter(pk=order.pk).update(currency=currency, total_minor=10_000)
    order.lines.update(currency=currency)
    order = Order.objects.get(pk=order.pk)
    payment = make_payment(order, currency=currency)
    each = Money(10_000 // parts, currency)
    for _ in range(parts):
        refund = services.request_refund(order, each, actor=eve, reason="Part")
        for state in (State.APPROVED, State.EXECUTING, State.SUCCEEDED):
            assert move(refund, state, actor=None)
    payment.refresh_from_db()
    held = sum(order.lines.values_list("reserved_minor", flat=True))
    assert (payment.reserved_minor, payment.refunded_minor, held) == (10_000, 10_000, 10_000)
    with pytest.raises(services.RefundRefusedError):
        services.request_refund(order, Money(1, currency), actor=eve, reason="One more")


def test_29_key_that_was_exchanged_loses_nothing(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    if isinstance(peer, SimulatorPeer):
        peer.process.play(wrong_key=1)
    else:  # as stripe-stateful-mock says it to a key that it does not like
        told = {"message": "Invalid API Key provided", "type": "invalid_request_error"}
        peer.say(Said(401, json.dumps({"error": told}).encode()))
    services.execute(refund)
    assert (again(refund).state, again(refund).sent_at) == (State.APPROVED, None)
    assert_never(refund, peer)
    reconcile(refund)
    assert_once(refund, peer)


def test_29_other_account_that_does_not_know_the_payment_proves_nothing(
    sim: SimulatorPeer, approved: Approved
) -> None:
    """The money went out by the old account; the new one refuses, and must not be believed."""
    refund = approved(sim)
    sim.lose_answer()
    services.execute(refund)
    stranger = Said(404, b'{"error": "payment_unknown", "message": "No such payment"}')
    sim.say(stranger)
    sim.say_reads(stranger)
    assert reconcile(refund) == [State.NEEDS_REVIEW]
    assert (sums(refund), paid_back(sim, refund)) == ((1_275, 0), [1_275])


def test_30_refuses_inside_a_transaction_of_the_caller(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    with pytest.raises(services.TransactionOpenError), transaction.atomic():
        services.execute(refund)
    with pytest.raises(services.TransactionOpenError), transaction.atomic():
        services.reconcile()
    assert again(refund).state == State.APPROVED
    assert_never(refund, sim)


def test_30_refuses_with_atomic_requests(
    sim: SimulatorPeer, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = approved(sim)

    def view(request: HttpRequest) -> HttpResponse:
        services.execute(refund)
        return HttpResponse()

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    atomic = BaseHandler().make_view_atomic(view)
    with pytest.raises(services.TransactionOpenError):
        atomic(RequestFactory().post("/"))
    assert again(refund).state == State.APPROVED
    assert_never(refund, sim)
