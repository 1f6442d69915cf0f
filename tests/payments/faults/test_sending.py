"""Sending without a fault, and what is no fault of the table: late, held, refused, by a worker."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs import run
from backoffice.jobs.models import Job
from backoffice.money import Money
from orders.services import LineLimitError
from payments import services
from payments.gateways import gateways
from payments.models import Payment, Refund, RefundAttempt
from payments.services import execution
from payments.services.requests import RUN_JOB
from tests.contracts.peers import Peer, Said
from tests.factories import make_payment
from tests.payments.faults.telling import (
    State,
    again,
    assert_once,
    paid_back,
    reconcile,
    sums,
    verbs,
)
from tests.payments.faults.test_16_19_webhooks import Unlisted
from tests.payments.test_gateways import SimulatorPeer
from tests.processes import python
from tests.simulator import wait_for

pytestmark = pytest.mark.django_db
type Approved = Callable[..., Refund]
type Paid = Callable[..., Payment]


class Hasty(Unlisted):
    """A gateway that lists nothing, wants time between two refunds and refunds no old payments."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        changed = {"min_interval": timedelta(seconds=60), "max_age": timedelta(days=36_500)}
        for name, value in changed.items():
            object.__setattr__(self.caps, name, value)


def use(settings: Settings, backend: type) -> None:
    path = f"{backend.__module__}.{backend.__name__}"
    entry = settings.GATEWAYS["simulator"] | {"BACKEND": path}
    settings.GATEWAYS = {**settings.GATEWAYS, "simulator": entry}


def test_job_of_an_approved_refund_pays_back_once(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    job = Job.objects.get(kind=RUN_JOB, params={"refund": refund.pk})
    run.execute(job.pk)
    found = again(refund)
    assert (found.attempts, found.next_try_at) == (1, None)
    told = [verb for verb in verbs(refund) if verb.startswith("refund_")]
    assert told == [f"refund_{what}" for what in ("requested", "approved", "sent", "succeeded")]
    assert_once(refund, peer)


def test_try_is_kept_with_its_answer_and_without_secrets(peer: Peer, approved: Approved) -> None:
    refund = approved(peer)
    services.execute(refund)
    made = RefundAttempt.objects.get(refund=refund)
    assert (made.kind, made.outcome, made.reference) == ("sent", "succeeded", refund.gateway_ref)
    assert made.raw
    assert not {"card", "billing_details", "receipt_email"} & set(made.raw)


def test_real_worker_heals_a_lost_answer_by_itself(sim: SimulatorPeer, approved: Approved) -> None:
    refund = approved(sim)
    sim.lose_answer()
    with python("manage.py", "worker"):
        wait_for(lambda: again(refund).state == State.SUCCEEDED, seconds=90)
    assert_once(refund, sim)


def test_refund_executed_twice_is_paid_once(sim: SimulatorPeer, approved: Approved) -> None:
    refund = approved(sim)
    seen_before = again(refund)
    services.execute(refund)
    services.execute(seen_before)
    assert_once(refund, sim)


def test_unknown_refund_is_left_alone_until_its_time_and_holds_its_money(
    sim: SimulatorPeer, approved: Approved, eve: User
) -> None:
    refund = approved(sim, 9_000)
    sim.lose_answer()
    services.execute(refund)
    assert services.reconcile() == 0
    assert (again(refund).state, again(refund).attempts) == (State.UNKNOWN, 1)
    with pytest.raises((services.RefundRefusedError, LineLimitError)):
        services.request_refund(
            refund.payment.order, Money(1_001, "GBP"), actor=eve, reason="By hand"
        )


def test_gateway_that_cannot_be_read_while_unknown_changes_nothing(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.lose_answer()
    services.execute(refund)
    sim.stop()
    assert reconcile(refund) == [State.UNKNOWN]
    assert verbs(refund)[-1] == "refund_asked_again"
    sim.proxy.start()
    reconcile(refund)
    assert_once(refund, sim)


def test_definite_refusal_fails_and_lets_go(sim: SimulatorPeer, approved: Approved) -> None:
    refund = approved(sim)
    sim.process.play(refuse=1)
    services.execute(refund)
    assert (refund.state, sums(refund), paid_back(sim, refund)) == (State.FAILED, (0, 0), [])
    line = refund.payment.order.lines.get()
    assert line.reserved_minor == 0
    assert Event.objects.about(refund).get(verb="payments.refund_failed").outcome == "failed"


def test_refusal_of_a_repeat_without_a_list_is_for_people(
    sim: SimulatorPeer, approved: Approved, settings: Settings
) -> None:
    use(settings, Unlisted)
    refund = approved(sim)
    sim.say(Said(500, b"{}"))
    services.execute(refund)
    sim.say(Said(422, b'{"error": "amount_too_high", "message": "No"}'))
    assert reconcile(refund) == [State.NEEDS_REVIEW]
    assert sums(refund) == (1_275, 0)


def test_what_pends_where_nothing_can_be_read_waits_for_ever(
    sim: SimulatorPeer, approved: Approved, settings: Settings
) -> None:
    use(settings, Unlisted)
    sim.process.play(pending=1, pending_seconds=0)
    refund = approved(sim)
    services.execute(refund)
    assert (refund.state, refund.next_try_at) == (State.PENDING, None)


def test_pending_refund_is_read_until_it_ends(sim: SimulatorPeer, approved: Approved) -> None:
    sim.process.play(pending=1, pending_seconds=0)
    refund = approved(sim)
    services.execute(refund)
    assert reconcile(refund) == [State.PENDING]
    sim.process.end(again(refund).gateway_ref, "succeed")
    reconcile(refund)
    assert_once(refund, sim)
    assert len(sim.seen()) == 1


def test_second_refund_of_a_payment_waits_where_the_gateway_wants_time(
    sim: SimulatorPeer, paid: Paid, approved: Approved, settings: Settings
) -> None:
    use(settings, Hasty)
    payment = paid(sim)
    first, second = approved(sim, 100, payment=payment), approved(sim, 200, payment=payment)
    services.execute(first)
    services.execute(second)
    assert (first.state, second.state, second.attempts) == (State.SUCCEEDED, State.APPROVED, 0)
    assert second.next_try_at is not None
    assert second.next_try_at > timezone.now() + timedelta(seconds=30)
    Refund.objects.filter(pk=first.pk).update(sent_at=timezone.now() - timedelta(seconds=61))
    assert reconcile(second) == [State.SUCCEEDED]


def test_payment_that_got_too_old_for_its_gateway_is_not_sent(
    sim: SimulatorPeer, approved: Approved, settings: Settings
) -> None:
    use(settings, Hasty)
    refund = approved(sim)
    object.__setattr__(gateways["simulator"].caps, "max_age", timedelta(days=1))
    services.execute(again(refund))
    found = again(refund)
    assert (found.state, sums(refund), paid_back(sim, refund)) == (State.VOID, (0, 0), [])
    assert "1 days" in found.answer


def test_live_keys_that_nobody_has_proven_send_nothing(
    sim: SimulatorPeer, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = approved(sim)
    monkeypatch.setattr(type(gateways["simulator"]), "live", True)
    services.execute(refund)
    assert (again(refund).state, sim.seen()) == (State.APPROVED, [])
    assert "verify" in again(refund).answer


def test_gateway_that_is_not_set_up_any_more_stops_nobody_else(
    sim: SimulatorPeer, approved: Approved
) -> None:
    gone, refund = approved(sim), approved(sim)
    other = make_payment(gone.payment.order, gateway="gone")
    Refund.objects.filter(pk=gone.pk).update(payment=other, gateway="gone", state=State.UNKNOWN)
    assert reconcile(gone, refund) == [State.UNKNOWN, State.SUCCEEDED]
    left = again(gone)
    assert left.next_try_at is not None
    assert left.next_try_at > timezone.now()


def test_many_that_wait_are_taken_up_in_one_turn(
    sim: SimulatorPeer, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "BATCH", 2)
    monkeypatch.setattr(execution, "TURN", 60.0)
    refunds = [approved(sim) for _ in range(5)]
    assert set(reconcile(*refunds)) == {State.SUCCEEDED}
