"""1-6: a worker killed with -9, at every point between the intent and the record."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from payments.models import Refund
from tests.contracts.peers import Peer
from tests.payments.faults.crew import Crew
from tests.payments.faults.telling import (
    State,
    again,
    assert_never,
    assert_once,
    paid_back,
    reconcile,
)
from tests.peers.proxy import Proxied
from tests.simulator import wait_for

pytestmark = pytest.mark.django_db


def killed(crew: Crew, refund: Refund, place: str) -> Refund:
    """Execute in a process of its own, kill it at the place; return what is left."""
    child = crew.start("execute", refund.pk, stop=place, ready=False)
    child.stands_still()
    child.kill()
    return again(refund)


def test_1_before_the_intent_is_committed(
    peer: Peer, crew: Crew, approved: Callable[..., Refund]
) -> None:
    refund = approved(peer)
    left = killed(crew, refund, "before the intent is committed")
    assert (left.state, left.attempts) == (State.APPROVED, 0)
    assert_never(refund, peer)
    reconcile(refund)
    assert_once(refund, peer)


def test_2_after_the_intent_is_committed(
    peer: Peer, crew: Crew, approved: Callable[..., Refund]
) -> None:
    refund = approved(peer)
    left = killed(crew, refund, "after the intent is committed")
    assert (left.state, left.attempts) == (State.EXECUTING, 1)
    assert_never(refund, peer)
    reconcile(refund)
    assert_once(refund, peer)


def test_3_after_sending_before_the_answer(
    peer: Proxied, crew: Crew, approved: Callable[..., Refund], settings: Settings
) -> None:
    refund = approved(peer)
    settings.GATEWAYS[refund.gateway]["OPTIONS"] |= {"read": 30}
    peer.proxy.play("delay", seconds=20)
    child = crew.start("execute", refund.pk, ready=False)
    wait_for(lambda: paid_back(peer, refund))
    child.kill()
    assert again(refund).state == State.EXECUTING
    reconcile(refund)
    assert_once(refund, peer)


@pytest.mark.parametrize(
    ("number", "place"),
    [(4, "after the answer, before its record"), (5, "inside the record's transaction")],
)
def test_4_5_after_the_answer_before_it_is_committed(
    peer: Peer, crew: Crew, approved: Callable[..., Refund], number: int, place: str
) -> None:
    refund = approved(peer)
    left = killed(crew, refund, place)
    assert (left.state, paid_back(peer, refund)) == (State.EXECUTING, [1_275])
    reconcile(refund)
    assert_once(refund, peer)


def test_6_after_the_record(peer: Peer, crew: Crew, approved: Callable[..., Refund]) -> None:
    refund = approved(peer)
    left = killed(crew, refund, "after the record")
    assert left.next_try_at is None
    assert_once(refund, peer)
