"""7-13: the answer is lost, late, an error that is kept; the gateway is busy; the key too old."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments import services
from payments.models import Refund, RefundAttempt
from payments.services import execution
from tests.contracts.peers import Peer, Said
from tests.payments.faults.telling import (
    State,
    again,
    assert_never,
    assert_once,
    paid_back,
    reconcile,
)
from tests.payments.test_gateways import SimulatorPeer
from tests.peers.proxy import Proxied
from tests.simulator import wait_for

pytestmark = pytest.mark.django_db
type Approved = Callable[..., Refund]

SORRY = b'{"error": {"type": "api_error", "message": "Sorry"}}'
BUSY = Said(429, b'{"error": {"type": "rate_limit", "message": "Slow"}}', {"Retry-After": "7"})


def tries(refund: Refund) -> list[tuple[str, str]]:
    rows = RefundAttempt.objects.filter(refund=refund).order_by("pk")
    return [(row.kind, row.outcome) for row in rows]


def test_7_answer_dropped_after_it_was_applied(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    peer.lose_answer()
    services.execute(refund)
    assert (refund.state, paid_back(peer, refund)) == (State.UNKNOWN, [1_275])
    reconcile(refund)
    assert_once(refund, peer)
    assert tries(refund) == [("sent", "unknown"), ("again", "succeeded")]


def test_8_gateway_finishes_long_after_our_timeout(
    sim: SimulatorPeer, approved: Approved, settings: Settings
) -> None:
    refund = approved(sim)
    sim.process.play(finish_later=120)
    table = settings.GATEWAYS
    entry = table["simulator"]
    hasty = {**entry, "OPTIONS": {**entry["OPTIONS"], "read": 1}}
    settings.GATEWAYS = {**table, "simulator": hasty}
    services.execute(refund)
    settings.GATEWAYS = table
    assert refund.state == State.UNKNOWN
    assert_never(refund, sim)
    assert reconcile(refund) == [State.UNKNOWN]  # still running there: neither paid nor failed
    sim.process.calm()  # it finishes now
    wait_for(lambda: paid_back(sim, refund))
    reconcile(refund)
    assert_once(refund, sim)


def test_9_500_after_it_was_applied_and_the_500_is_kept(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    peer.save_500()
    services.execute(refund)
    assert refund.state == State.UNKNOWN
    reconcile(refund)
    assert_once(refund, peer)
    assert tries(refund)[1:] == [("again", "unknown"), ("looked_up", "succeeded")]


@pytest.mark.parametrize("status", [500, 503])
def test_10_server_error_before_it_was_applied(peer: Peer, approved: Approved, status: int) -> None:
    refund = approved(peer)
    peer.say(Said(status, SORRY))
    services.execute(refund)
    assert refund.state == State.UNKNOWN
    assert_never(refund, peer)
    reconcile(refund)
    assert_once(refund, peer)


def test_10_connection_refused(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    peer.stop()
    services.execute(refund)
    assert (refund.state, refund.sent_at) == (State.APPROVED, None)
    assert isinstance(peer, Proxied)
    peer.proxy.start()
    assert_never(refund, peer)
    reconcile(refund)
    assert_once(refund, peer)


def test_11_too_many_requests_loses_no_reservation(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    peer.say(BUSY)
    before = timezone.now()
    services.execute(refund)
    assert (refund.state, refund.sent_at) == (State.APPROVED, None)
    assert refund.next_try_at is not None
    assert refund.next_try_at - before >= timedelta(seconds=7)
    assert_never(refund, peer)
    reconcile(refund)
    assert_once(refund, peer)


def test_11_gateway_cannot_ask_to_wait_for_ever(sim: SimulatorPeer, approved: Approved) -> None:
    refund = approved(sim)
    sim.say(Said(429, b"{}", {"Retry-After": "99999999999"}))
    services.execute(refund)
    assert refund.next_try_at is not None
    assert refund.next_try_at < timezone.now() + timedelta(hours=1, minutes=1)


def test_12_request_with_this_key_is_still_running(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    peer.lose_answer()
    services.execute(refund)
    body = b'{"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}'
    peer.say(Said(409, body))
    peer.say_reads(Said(500, SORRY))
    assert reconcile(refund) == [State.UNKNOWN]
    assert again(refund).sent_at == refund.sent_at
    reconcile(refund)
    assert_once(refund, peer)


def too_old(refund: Refund) -> None:
    """Let the key's life at the gateway end."""
    Refund.objects.filter(pk=refund.pk).update(sent_at=timezone.now() - timedelta(days=30))


def test_13_key_that_is_too_old_is_looked_up_and_not_sent(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    peer.lose_answer()
    services.execute(refund)
    too_old(refund)
    sent = len(peer.seen())
    reconcile(refund)
    assert len(peer.seen()) == sent
    assert_once(refund, peer)


def test_13_forgotten_key_would_pay_again(sim: SimulatorPeer, approved: Approved) -> None:
    """The simulator really forgets: who repeats the key then pays twice."""
    refund = approved(sim)
    sim.process.play(key_life=0.2)
    sim.lose_answer()
    services.execute(refund)
    too_old(refund)
    time.sleep(0.5)
    reconcile(refund)
    assert_once(refund, sim)


def test_13_key_that_is_too_old_and_nothing_listed_is_for_people(
    peer: Peer, approved: Approved
) -> None:
    refund = approved(peer)
    peer.say(Said(500, SORRY))
    services.execute(refund)
    too_old(refund)
    assert reconcile(refund) == [State.NEEDS_REVIEW]
    assert_never(refund, peer)


def test_13_no_outcome_after_many_tries_is_for_people(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    for _ in range(execution.MOST_TRIES):
        sim.say(Said(500, SORRY))
    services.execute(refund)
    states = [reconcile(refund)[0] for _ in range(execution.MOST_TRIES - 1)]
    assert states == [State.UNKNOWN] * (execution.MOST_TRIES - 2) + [State.NEEDS_REVIEW]
    assert_never(refund, sim)


def test_no_try_ever_has_another_key(sim: SimulatorPeer, approved: Approved) -> None:
    refund = approved(sim)
    sim.lose_answer()
    services.execute(refund)
    reconcile(refund)
    keys = {seen.headers["Idempotency-Key"] for seen in sim.seen()}
    assert keys == {str(refund.key)}
