"""14-15: two people, two tabs, two clicks at once; more asked for than was captured.

RACES=5 runs the races for more than was captured five times: `make soak-race`.
"""

import os
from collections.abc import Callable

import pytest
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.money import Money
from payments import services
from payments.models import DailyTotal, Payment, Refund
from payments.services.requests import RUN_JOB
from tests.contracts.peers import Peer
from tests.payments.faults.conftest import PATIENT
from tests.payments.faults.crew import Crew
from tests.payments.faults.telling import State, again, assert_once, paid_back
from tests.payments.test_gateways import SimulatorPeer
from tests.peers.stripe import LocalStripe

pytestmark = pytest.mark.django_db
RACES = int(os.environ.get("RACES", "1"))


@pytest.fixture(params=range(1, RACES + 1))
def _again_and_again() -> None:
    """Run the test so many times, each with rows of its own."""


def test_14_two_staff_approve_at_once(
    sim: SimulatorPeer, crew: Crew, paid: Callable[..., Payment], eve: User, max_: User
) -> None:
    order = paid(sim).order
    refund = services.request_refund(order, Money(1_275, "GBP"), actor=eve, reason="Damaged")
    told = crew.race("approve", refund.pk, max_.pk, times=4)
    assert sorted(told) == ["approved", "too late", "too late", "too late"]
    jobs = Job.objects.filter(kind=RUN_JOB, params={"refund": refund.pk})
    assert (jobs.count(), again(refund).state) == (1, State.APPROVED)


def test_14_sent_by_many_at_once_is_paid_once(
    peer: Peer, crew: Crew, approved: Callable[..., Refund]
) -> None:
    refund = approved(peer)
    crew.race("execute", refund.pk, times=6)
    assert_once(refund, peer)
    assert len(peer.seen()) == 1


def test_14_same_form_posted_eight_times_at_once_asks_once(
    sim: SimulatorPeer, crew: Crew, paid: Callable[..., Payment], eve: User
) -> None:
    payment = paid(sim)
    told = crew.race("ask", payment.order_id, eve.pk, 100, 1, 0, times=8)
    assert sorted(word for words in told for word in words) == ["held"] + ["refused"] * 7
    payment.refresh_from_db()
    assert payment.reserved_minor == 100


def test_limit_of_a_day_holds_against_eight_processes(
    sim: SimulatorPeer,
    crew: Crew,
    paid: Callable[..., Payment],
    eve: User,
    settings: Settings,
) -> None:
    """One person asks at once for 20 pounds of each of eight orders; 50 is their limit.

    Should the day turn meanwhile, four or more of the eight fall on one day: that one is full.
    """
    settings.BACKOFFICE_REFUND_LIMITS = {"maker": ["50.00 GBP"]}
    orders = [paid(sim).order_id for _ in range(8)]
    children = [crew.start("ask", order, eve.pk, 2_000, 1) for order in orders]
    for child in children:
        child.go()
    told = [word for child in children for word in child.answer()]
    totals = DailyTotal.objects.filter(of="maker", who=eve.pk, currency="GBP")
    days = dict(totals.values_list("day", "requested_minor"))
    assert max(days.values()) == 4_000
    held = Payment.objects.filter(order__in=orders).values_list("reserved_minor", flat=True)
    assert sum(held) == sum(days.values()) == told.count("held") * 2_000
    assert told.count("refused") == len(orders) - told.count("held")


@pytest.mark.usefixtures("_again_and_again")
def test_15_eight_processes_ask_for_more_than_was_captured(
    sim: SimulatorPeer, crew: Crew, paid: Callable[..., Payment], eve: User
) -> None:
    """Eight processes ask 24 times for 30 pounds of 100; three are held, none fails otherwise."""
    payment = paid(sim)
    told = crew.race("ask", payment.order_id, eve.pk, 3_000, 3, times=8)
    words = [word for words in told for word in words]
    assert sorted(words) == ["held"] * 3 + ["refused"] * 21
    payment.refresh_from_db()
    assert payment.reserved_minor == 9_000


@pytest.mark.usefixtures("_again_and_again")
def test_15_lenient_gateway_would_pay_more_and_is_not_asked(
    lenient_gateway: LocalStripe,
    crew: Crew,
    paid: Callable[..., Payment],
    eve: User,
    max_: User,
    settings: Settings,
) -> None:
    settings.GATEWAYS["stripe"]["OPTIONS"] |= PATIENT
    payment = paid(lenient_gateway)
    told = crew.race("ask", payment.order_id, eve.pk, 3_000, 2, times=8)
    assert sorted(word for words in told for word in words) == ["held"] * 3 + ["refused"] * 13
    refunds = list(Refund.objects.filter(payment=payment))
    assert [refund.state for refund in refunds] == [State.REQUESTED] * 3
    for refund in refunds:
        services.approve_refund(refund, actor=max_)
    children = [crew.start("execute", refund.pk) for refund in refunds]
    for child in children:
        child.go()
    assert [child.answer() for child in children] == [State.SUCCEEDED] * 3
    assert paid_back(lenient_gateway, refunds[0]) == [3_000] * 3
    payment.refresh_from_db()
    assert (payment.reserved_minor, payment.refunded_minor) == (9_000, 9_000)
