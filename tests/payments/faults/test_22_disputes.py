"""22: the money is disputed, at our simulator and at a program that plays Stripe."""

import json
from collections.abc import Callable

import pytest

from backoffice.money import Money
from payments import services
from payments.models import Dispute, Payment, Refund
from tests.contracts.peers import Said
from tests.factories import make_order, make_payment
from tests.payments.faults.telling import (
    State,
    again,
    assert_never,
    assert_once,
    balance,
    paid_back,
    reconcile,
)
from tests.payments.test_gateways import SimulatorPeer
from tests.peers.stripe import StripePeer
from tests.simulator import wait_for

pytestmark = pytest.mark.django_db
type Approved = Callable[..., Refund]


def test_22_dispute_before_sending_holds_the_refund_and_its_money(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.process.dispute(refund.payment.reference, Money(10_000, "GBP"))
    services.external.look_at(refund.payment)
    assert balance(refund.payment) == (1_275, 0, 8_725)
    services.execute(again(refund))
    assert again(refund).state == State.APPROVED
    assert "dispute" in again(refund).answer.lower()
    assert_never(refund, sim)


@pytest.fixture
def disputed(peer: StripePeer) -> Payment:
    """A payment that is disputed at stripe-stateful-mock, of which nobody told us.

    The program tells one dispute by its name and has no list of them: the proxy makes its own
    object the list of one that the vendor would give (https://docs.stripe.com/api/disputes/list).
    """
    form = {"amount": "10000", "currency": "gbp", "source": "tok_createDispute"}
    charge = peer.client.post("/v1/charges", form=form).json()["id"]
    path = f"/v1/charges/{charge}"
    name = wait_for(lambda: peer.client.get(path).json()["dispute"])  # it comes after the answer
    row = peer.client.get(f"/v1/disputes/{name}").json()
    listed = json.dumps({"object": "list", "data": [row], "has_more": False}).encode()
    peer.proxy.play("say", methods=["GET"], path="^/v1/disputes", times=-1, status=200, body=listed)
    return make_payment(make_order(10_000), captured=10_000, gateway="stripe", reference=charge)


@pytest.mark.parametrize("peer", ["stripe"], indirect=True)
def test_22_dispute_at_stripe_holds_the_refund_and_its_money(
    peer: StripePeer, disputed: Payment, approved: Approved
) -> None:
    refund = approved(peer, payment=disputed)
    services.external.look_at(disputed)
    assert balance(disputed) == (1_275, 0, 8_725)
    services.execute(again(refund))
    assert again(refund).state == State.APPROVED
    assert "dispute" in again(refund).answer.lower()
    assert peer.seen() == []
    assert_never(refund, peer)


@pytest.mark.parametrize("peer", ["stripe"], indirect=True)
def test_22_dispute_at_stripe_that_nobody_told_us_of_refuses_the_refund(
    peer: StripePeer, disputed: Payment, approved: Approved
) -> None:
    refund = approved(peer, payment=disputed)
    services.execute(refund)
    assert (again(refund).state, paid_back(peer, refund)) == (State.FAILED, [])
    services.external.look_at(disputed)
    assert balance(disputed) == (0, 0, 10_000)


def test_22_dispute_that_is_won_lets_the_refund_go(sim: SimulatorPeer, approved: Approved) -> None:
    refund = approved(sim)
    dispute = sim.process.dispute(refund.payment.reference, Money(10_000, "GBP"))
    services.external.look_at(refund.payment)
    sim.process.decide(dispute, "win")
    services.external.look_at(refund.payment)
    assert balance(refund.payment) == (1_275, 0, 0)
    reconcile(refund)
    assert_once(refund, sim)


def test_22_dispute_that_is_lost_voids_the_refund_and_keeps_the_money_blocked(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    dispute = sim.process.dispute(refund.payment.reference, Money(10_000, "GBP"))
    sim.process.decide(dispute, "lose")
    services.external.look_at(refund.payment)
    reconcile(refund)
    assert (again(refund).state, paid_back(sim, refund)) == (State.VOID, [])
    assert balance(refund.payment) == (0, 0, 10_000)
    assert Dispute.objects.get(reference=dispute).blocked_minor == 10_000


def test_22_dispute_while_the_outcome_is_unknown_is_looked_up_and_not_repeated(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.say(Said(500, b"{}"))
    services.execute(refund)
    sim.process.dispute(refund.payment.reference, Money(10_000, "GBP"))
    services.external.look_at(refund.payment)
    sent = len(sim.seen())
    assert reconcile(refund) == [State.UNKNOWN]
    assert len(sim.seen()) == sent


def test_22_small_dispute_beside_leaves_the_refund_alone(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.process.dispute(refund.payment.reference, Money(2_000, "GBP"))
    services.external.look_at(refund.payment)
    services.execute(again(refund))
    assert balance(refund.payment) == (1_275, 1_275, 2_000)
