"""Workers killed with -9 at the worst moments, and many processes at once."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from subprocess import Popen

import pytest
from django.db import IntegrityError, connections
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.jobs import run
from backoffice.jobs.models import Job
from backoffice.money import Money
from orders.models import Order
from payments import services
from payments.models import Payment, Refund
from payments.services.requests import RUN_JOB
from tests.factories import make_order, make_payment
from tests.processes import held_row, python
from tests.simulator import SimulatorProcess

pytestmark = pytest.mark.django_db(transaction=True)
State = Refund.State
CHILD = ("-m", "tests.payments.child")
WORKER = ("manage.py", "worker")
AMOUNT = 1_275


@pytest.fixture
def order(simulator: SimulatorProcess) -> Order:
    order = make_order(10_000)
    simulator.seed(make_payment(order).reference, order.total)
    return order


@pytest.fixture
def refund(order: Order, eve: User, max_: User) -> Refund:
    amount = Money(AMOUNT, "GBP")
    refund = services.request_refund(order, amount, actor=eve, reason="Damaged")
    services.approve_refund(refund, actor=max_)
    return Refund.objects.get(pk=refund.pk)


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def kill(process: Popen[str]) -> None:
    """End the process at once (SIGKILL)."""
    process.kill()
    process.wait()


def state_of(refund: Refund) -> str:
    return Refund.objects.values_list("state", flat=True).get(pk=refund.pk)


def heal(refund: Refund) -> None:
    """Do what the next worker does: take the lost job up, and reconcile when the lease is over."""
    Job.objects.filter(state=Job.State.RUNNING).update(state=Job.State.QUEUED)
    run.execute(Job.objects.get(kind=RUN_JOB).pk)
    for _ in range(2):
        Refund.objects.filter(pk=refund.pk).update(next_try_at=timezone.now())
        services.reconcile()


def assert_paid_once(refund: Refund, simulator: SimulatorProcess) -> None:
    refund.refresh_from_db()
    booked = simulator.refunds(refund.payment.reference)
    assert [(row["id"], row["amount_minor"]) for row in booked] == [(refund.gateway_ref, AMOUNT)]
    payment = Payment.objects.get(pk=refund.payment_id)
    assert (refund.state, payment.reserved_minor, payment.refunded_minor) == (
        State.SUCCEEDED,
        AMOUNT,
        AMOUNT,
    )


def test_killed_before_the_intent_is_committed(refund: Refund, simulator: SimulatorProcess) -> None:
    with python(*CHILD, "execute", str(refund.pk)) as child, held_row("payments_refund", refund.pk):
        _go(child)
        time.sleep(1)  # it now waits for the row, or on SQLite for the file
        kill(child)
    assert (state_of(refund), simulator.refunds(refund.payment.reference)) == (State.APPROVED, [])
    heal(refund)
    assert_paid_once(refund, simulator)


def test_worker_killed_after_sending_before_the_answer(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(delay=4)
    with python(*WORKER) as worker:
        wait_for(lambda: bool(simulator.refunds(refund.payment.reference)))
        kill(worker)
    assert state_of(refund) == State.EXECUTING
    simulator.play(delay=0)
    heal(refund)
    assert_paid_once(refund, simulator)


def test_worker_killed_after_the_answer_before_it_is_recorded(
    refund: Refund, simulator: SimulatorProcess
) -> None:
    simulator.play(delay=3)
    with python(*WORKER) as worker:
        wait_for(lambda: bool(simulator.refunds(refund.payment.reference)))
        with held_row("payments_refund", refund.pk):
            time.sleep(4.5)  # the answer is there, its record waits
            kill(worker)
    assert state_of(refund) == State.EXECUTING
    simulator.play(delay=0)
    heal(refund)
    assert_paid_once(refund, simulator)


def test_worker_heals_a_lost_answer_by_itself(refund: Refund, simulator: SimulatorProcess) -> None:
    simulator.play(lose_answer=1)
    with python(*WORKER):
        wait_for(lambda: state_of(refund) == State.UNKNOWN)
        wait_for(lambda: state_of(refund) == State.SUCCEEDED)
    assert_paid_once(refund, simulator)


def test_two_reconcilers_at_once_pay_once(refund: Refund, simulator: SimulatorProcess) -> None:
    simulator.play(lose_answer=1)
    services.execute(refund)
    Refund.objects.filter(pk=refund.pk).update(next_try_at=timezone.now())
    with ExitStack() as stack:
        children = [stack.enter_context(python(*CHILD, "reconcile")) for _ in range(2)]
        _race(children)
    assert_paid_once(refund, simulator)


def test_race_for_more_than_was_captured_is_won_three_times(order: Order, eve: User) -> None:
    """Four processes ask twelve times for £30 of £100."""
    arguments = ("request", str(order.pk), str(eve.pk), "3000", "3")
    with ExitStack() as stack:
        children = [stack.enter_context(python(*CHILD, *arguments)) for _ in range(4)]
        outcomes = [word for words in _race(children) for word in words]
    assert sorted(outcomes) == ["held"] * 3 + ["refused"] * 9
    assert Payment.objects.get(order=order).reserved_minor == 9_000
    assert Refund.objects.count() == 3


def test_database_refuses_over_reservation_without_our_code(order: Order) -> None:
    with pytest.raises(IntegrityError, match="payment_captured_reserved_refunded"):
        Payment.objects.filter(order=order).update(reserved_minor=10_001)


def _go(child: Popen[str]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.stdin.write("go\n")
    child.stdin.flush()


def _race(children: list[Popen[str]]) -> list[list[str]]:
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    connections.close_all()
    answers = []
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout is not None
        answers.append(json.loads(child.stdout.readline()))
    return answers
