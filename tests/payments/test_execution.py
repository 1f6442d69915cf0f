"""Refunds at the gateway: whatever gets lost on the way, the money goes out once."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs import run
from backoffice.jobs.models import Job
from backoffice.money import Money
from orders.models import Order
from payments import services
from payments.gateways.base import Caps
from payments.gateways.simulator import Simulator
from payments.models import Payment, Refund
from tests.factories import make_order, make_payment
from tests.simulator import SimulatorProcess

pytestmark = pytest.mark.django_db(transaction=True)
State = Refund.State
AMOUNT = Money(1_275, "GBP")


class Unlisted(Simulator):
    """A gateway that cannot list refunds, as some cannot."""

    caps = Caps(
        partial=False, key_ttl=timedelta(hours=1), lookup="none", settle=timedelta(seconds=0)
    )


@pytest.fixture
def order(simulator: SimulatorProcess) -> Order:
    order = make_order(1_275, 716)
    simulator.seed(make_payment(order).reference, order.total)
    return order


@pytest.fixture
def refund(order: Order, eve: User, max_: User) -> Refund:
    """An approved refund of the first line."""
    line = order.lines.get(position=1)
    asked = [services.Asked(line=line, amount=AMOUNT)]
    refund = services.request_refund(order, asked, actor=eve, reason="Damaged")
    services.approve_refund(refund, actor=max_)
    return Refund.objects.get(pk=refund.pk)


def reconcile_now(refund: Refund) -> Refund:
    """Let the time of the next try come, and the machine look."""
    Refund.objects.filter(pk=refund.pk).update(next_try_at=timezone.now())
    services.reconcile()
    return Refund.objects.get(pk=refund.pk)


def paid_back(simulator: SimulatorProcess, refund: Refund) -> list[int]:
    rows = simulator.refunds(refund.payment.reference)
    return [row["amount_minor"] for row in rows]


def sums(refund: Refund) -> tuple[int, int, int]:
    """Return what the payment reserved and refunded, and what the line holds."""
    payment = Payment.objects.get(pk=refund.payment_id)
    line = refund.parts.get().order_line
    assert line is not None
    return payment.reserved_minor, payment.refunded_minor, line.reserved_minor


def verbs(refund: Refund) -> list[str]:
    found = Event.objects.about(refund).order_by("id").values_list("verb", flat=True)
    return [verb.removeprefix("payments.refund_") for verb in found if verb.startswith("payments")]


def test_job_of_an_approved_refund_pays_back_once(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    run.execute(Job.objects.get().pk)
    refund.refresh_from_db()
    assert (refund.state, refund.attempts, refund.next_try_at) == (State.SUCCEEDED, 1, None)
    assert [row["id"] for row in simulator.refunds(refund.payment.reference)] == [
        refund.gateway_ref
    ]
    assert sums(refund) == (1_275, 1_275, 1_275)
    assert verbs(refund) == ["requested", "approved", "sent", "succeeded"]


def test_refund_executed_twice_is_paid_once(refund: Refund, simulator: SimulatorProcess) -> None:
    seen_before = Refund.objects.get(pk=refund.pk)
    services.execute(refund)
    services.execute(seen_before)
    assert paid_back(simulator, refund) == [1_275]


def test_refund_that_is_not_approved_is_not_sent(
    order: Order, eve: User, simulator: SimulatorProcess
) -> None:
    refund = services.request_refund(order, AMOUNT, actor=eve, reason="Damaged")
    services.execute(refund)
    assert (refund.state, paid_back(simulator, refund)) == (State.REQUESTED, [])


def test_execution_inside_a_transaction_refuses_before_anything_happens(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    with pytest.raises(services.TransactionOpenError), transaction.atomic():
        services.execute(refund)
    with pytest.raises(services.TransactionOpenError), transaction.atomic():
        services.reconcile()
    refund.refresh_from_db()
    assert (refund.state, paid_back(simulator, refund)) == (State.APPROVED, [])


def test_lost_answer_is_unknown_then_heals_and_is_paid_once(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(lose_answer=1)
    services.execute(refund)
    assert refund.state == State.UNKNOWN
    assert sums(refund) == (1_275, 0, 1_275)
    healed = reconcile_now(refund)
    assert (healed.state, healed.attempts) == (State.SUCCEEDED, 2)
    assert paid_back(simulator, refund) == [1_275]
    assert sums(refund) == (1_275, 1_275, 1_275)
    assert verbs(refund) == ["requested", "approved", "sent", "unknown", "succeeded"]


def test_answer_lost_again_and_again_is_paid_once(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(lose_answer=1, fail_500_after=0)
    services.execute(refund)
    simulator.play(lose_answer=3)
    for _ in range(3):
        refund = reconcile_now(refund)
    assert (refund.state, paid_back(simulator, refund)) == (State.SUCCEEDED, [1_275])


def test_unknown_refund_is_left_alone_until_its_time(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(lose_answer=1)
    services.execute(refund)
    assert refund.next_try_at is not None
    assert refund.next_try_at > timezone.now()
    assert services.reconcile() == 0
    refund.refresh_from_db()
    assert (refund.state, refund.attempts) == (State.UNKNOWN, 1)


def test_unknown_refund_holds_its_money_against_another(
    order: Order, refund: Refund, simulator: SimulatorProcess, eve: User
) -> None:
    simulator.play(lose_answer=1)
    services.execute(refund)
    with pytest.raises(services.RefundRefusedError, match=r"£7\.16"):
        services.request_refund(order, AMOUNT, actor=eve, reason="By hand")


def test_server_error_that_is_repeated_is_looked_up(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(fail_500_after=1)
    services.execute(refund)
    assert refund.state == State.UNKNOWN
    assert reconcile_now(refund).state == State.SUCCEEDED
    assert paid_back(simulator, refund) == [1_275]


def test_server_error_before_execution_is_repeated_with_the_same_key(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(fail_500_before=1)
    services.execute(refund)
    assert (refund.state, paid_back(simulator, refund)) == (State.UNKNOWN, [])
    healed = reconcile_now(refund)
    assert (healed.state, healed.key) == (State.SUCCEEDED, refund.key)
    assert paid_back(simulator, refund) == [1_275]


def test_busy_gateway_leaves_the_refund_approved_for_later(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(busy=1)
    services.execute(refund)
    assert (refund.state, refund.sent_at) == (State.APPROVED, None)
    assert verbs(refund)[-1] == "postponed"
    assert reconcile_now(refund).state == State.SUCCEEDED
    assert paid_back(simulator, refund) == [1_275]


def test_gateway_that_is_down_leaves_the_refund_approved_for_later(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.stop()
    services.execute(refund)
    assert (refund.state, sums(refund)) == (State.APPROVED, (1_275, 0, 1_275))
    simulator.start()
    assert reconcile_now(refund).state == State.SUCCEEDED


def test_gateway_that_goes_down_while_unknown_changes_nothing(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(lose_answer=1)
    services.execute(refund)
    simulator.stop()
    assert reconcile_now(refund).state == State.UNKNOWN
    assert verbs(refund)[-1] == "asked_again"
    simulator.start()
    assert reconcile_now(refund).state == State.SUCCEEDED
    assert paid_back(simulator, refund) == [1_275]


def test_definite_refusal_fails_and_lets_go(refund: Refund, simulator: SimulatorProcess) -> None:
    Payment.objects.filter(pk=refund.payment_id).update(reference="nobody-knows")
    refund = Refund.objects.get(pk=refund.pk)
    services.execute(refund)
    assert (refund.state, sums(refund)) == (State.FAILED, (0, 0, 0))
    assert refund.answer == "No such payment"
    assert Event.objects.about(refund).get(verb="payments.refund_failed").outcome == "failed"


def test_refusal_of_a_repeat_is_not_believed_when_the_refund_is_listed(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(lose_answer=1)
    services.execute(refund)
    # As if the gateway had forgotten the key: the repeat is refused, since too little is left.
    Refund.objects.filter(pk=refund.pk).update(key=uuid4())
    assert reconcile_now(refund).state == State.SUCCEEDED
    assert paid_back(simulator, refund) == [1_275]


def test_refusal_of_a_repeat_fails_when_nothing_is_listed(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(fail_500_before=1)
    services.execute(refund)
    Payment.objects.filter(pk=refund.payment_id).update(reference="nobody-knows")
    assert reconcile_now(refund).state == State.FAILED
    assert sums(refund) == (0, 0, 0)


def too_old(refund: Refund) -> None:
    """Let the key's life at the gateway end."""
    Refund.objects.filter(pk=refund.pk).update(sent_at=timezone.now() - timedelta(hours=24))


def test_old_key_is_not_sent_again_but_looked_up(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    # Enough is left there, so that only we can keep a second payout from happening.
    simulator.seed("pay-rich", Money(100_000, "GBP"))
    Payment.objects.filter(pk=refund.payment_id).update(reference="pay-rich")
    refund = Refund.objects.get(pk=refund.pk)
    simulator.play(lose_answer=1)
    services.execute(refund)
    too_old(refund)
    Refund.objects.filter(pk=refund.pk).update(key=uuid4())  # a repeat would now pay again
    assert reconcile_now(refund).state == State.SUCCEEDED
    assert paid_back(simulator, refund) == [1_275]


def test_old_key_and_nothing_listed_is_for_people_and_holds_the_money(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(fail_500_before=1)
    services.execute(refund)
    too_old(refund)
    assert reconcile_now(refund).state == State.NEEDS_REVIEW
    assert (paid_back(simulator, refund), sums(refund)) == ([], (1_275, 0, 1_275))


def test_refusal_of_a_repeat_without_a_list_is_for_people(
    refund: Refund, simulator: SimulatorProcess, settings: Settings
) -> None:
    backend = f"{Unlisted.__module__}.Unlisted"
    settings.GATEWAYS = {"simulator": settings.GATEWAYS["simulator"] | {"BACKEND": backend}}
    simulator.play(fail_500_before=1)
    services.execute(refund)
    Payment.objects.filter(pk=refund.payment_id).update(reference="nobody-knows")
    assert reconcile_now(refund).state == State.NEEDS_REVIEW
    assert sums(refund) == (1_275, 0, 1_275)


def test_gateway_without_parts_refuses_a_part(
    order: Order, eve: User, settings: Settings, simulator: SimulatorProcess
) -> None:
    backend = f"{Unlisted.__module__}.Unlisted"
    settings.GATEWAYS = {"simulator": settings.GATEWAYS["simulator"] | {"BACKEND": backend}}
    with pytest.raises(services.RefundRefusedError, match="whole payments"):
        services.request_refund(order, AMOUNT, actor=eve, reason="A part")


def test_late_refusal_of_an_earlier_try_changes_nothing(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    from payments.gateways.base import Outcome, RefundResult  # noqa: PLC0415
    from payments.services import execution  # noqa: PLC0415

    simulator.play(lose_answer=1)
    services.execute(refund)
    slow_worker = Refund.objects.get(pk=refund.pk)
    Refund.objects.filter(pk=refund.pk).update(attempts=2)  # somebody else asks again now
    execution._settle(slow_worker, RefundResult(Outcome.FAILED, message="Refused"))
    refund.refresh_from_db()
    assert (refund.state, sums(refund)) == (State.UNKNOWN, (1_275, 0, 1_275))


def test_one_refund_that_cannot_be_looked_at_does_not_stop_the_others(
    order: Order, refund: Refund, simulator: SimulatorProcess, eve: User, max_: User
) -> None:
    gone = services.request_refund(order, Money(100, "GBP"), actor=eve, reason="Other gateway")
    services.approve_refund(gone, actor=max_)
    other = make_payment(make_order(500), gateway="gone")
    Refund.objects.filter(pk=gone.pk).update(
        payment=other, next_try_at=timezone.now() - timedelta(minutes=1)
    )
    assert reconcile_now(refund).state == State.SUCCEEDED
