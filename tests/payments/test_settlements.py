"""Settlements of a real gateway: fetched by a job, whole or not at all, and what they heal."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import MovementKind, NotOfferedError, PaymentSnapshot, SettlementRow
from payments.gateways.simulator import Simulator
from payments.models import Payment, Refund, SettlementEntry, SettlementImport
from payments.services import captures, commands, desk, settlements
from tests.factories import make_order
from tests.payments.settled import DAY, capture, flat, paid, settle
from tests.payments.settled import refund as told
from tests.simulator import SimulatorProcess

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def payment(simulator: SimulatorProcess) -> Payment:
    """A payment that the simulator knows."""
    order = make_order(2_000)
    reference = gateways["simulator"].charge_for_test(Money(2_000, "GBP"))
    return captures.record_capture(
        order, order.total, gateway="simulator", reference=reference,
        captured_at=timezone.now(), actor=None,
    )  # fmt: skip


@pytest.fixture
def lost(payment: Payment, eve: User) -> Refund:
    """A refund that went out, of which neither an answer nor a webhook ever came."""
    refund = Refund.objects.create(
        payment=payment, gateway="simulator", amount_minor=700, currency="GBP", reason="Broken",
        state=Refund.State.PENDING, requested_by=eve, sent_at=timezone.now(), attempts=1,
    )  # fmt: skip
    Payment.objects.filter(pk=payment.pk).update(reserved_minor=700)
    gateways["simulator"].refund(commands.of(refund))
    return refund


def test_lost_webhook_heals_with_the_settlement(lost: Refund, max_: User) -> None:
    day = datetime.now(UTC).date()
    job = desk.start_fetch("simulator", day, actor=max_)
    execute(job.pk)
    lost.refresh_from_db()
    job.refresh_from_db()
    assert (job.state, lost.state) == ("done", "succeeded")
    assert lost.gateway_ref == SettlementEntry.objects.get(kind="refund").reference
    assert job.result["looked_up"] == 1


class Unreadable(Simulator):
    """The simulator, had it nothing to read back."""

    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Refuse."""
        raise NotOfferedError


@pytest.mark.parametrize(
    ("before", "kind", "after"),
    [
        ("pending", MovementKind.REFUND, "succeeded"),
        ("needs_review", MovementKind.REFUND, "needs_review"),
        ("succeeded", MovementKind.REVERSAL, "succeeded"),
    ],
)
def test_account_alone_frees_no_money_and_ends_no_review(
    payment: Payment, lost: Refund, settings: Settings, before: str, kind: MovementKind, after: str
) -> None:
    entry = settings.GATEWAYS["simulator"]
    backend = f"{Unreadable.__module__}.{Unreadable.__name__}"
    settings.GATEWAYS = {"simulator": {**entry, "BACKEND": backend}}
    Refund.objects.filter(pk=lost.pk).update(state=before, gateway_ref="re_1")
    lost.refresh_from_db()
    sign = 1 if kind is MovementKind.REVERSAL else -1
    source = settle(told(lost, kind=kind, amount=lost.amount * sign))
    settlements.look_up_open(source)
    lost.refresh_from_db()
    assert lost.state == after


@pytest.mark.parametrize("spelled", [str.upper, lambda number: number.replace("-", "")])
def test_number_that_is_spelled_otherwise_is_ours_all_the_same(
    payment: Payment, lost: Refund, settings: Settings, spelled: Callable[[str], str]
) -> None:
    entry = settings.GATEWAYS["simulator"]
    backend = f"{Unreadable.__module__}.{Unreadable.__name__}"
    settings.GATEWAYS = {"simulator": {**entry, "BACKEND": backend}}
    number = spelled(str(lost.number))
    assert settlements.look_up_open(settle(told(lost, reference="re_9", number=number))) == 1
    lost.refresh_from_db()
    assert (lost.state, lost.gateway_ref) == ("succeeded", "re_9")


def test_row_in_the_account_of_another_day_does_not_stand_for_the_whole(db: None) -> None:
    source = SettlementImport(gateway="simulator", source="file", day=DAY + timedelta(days=1))
    settlements.take(source, [capture(paid())], actor=None)
    assert not settlements.is_fetched("simulator", DAY)
    settle()
    assert settlements.is_fetched("simulator", DAY)


def test_gateway_that_gives_no_answer_stores_nothing(
    payment: Payment, max_: User, settings: Settings
) -> None:
    day = datetime.now(UTC).date()
    job = desk.start_fetch("simulator", day, actor=max_)
    entry = settings.GATEWAYS["simulator"]
    options = {**entry["OPTIONS"], "base_url": "http://127.0.0.1:9"}
    settings.GATEWAYS = {"simulator": {**entry, "OPTIONS": options}}
    execute(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert not SettlementImport.objects.exists()


def test_settlement_with_a_bad_row_at_its_end_is_not_half_stored(db: None) -> None:
    good = capture(paid())
    bad = SettlementRow(
        MovementKind.CAPTURE, "x" * 201, "", "", Money(1, "GBP"), Money(0, "GBP"), DAY, "row 3"
    )
    with pytest.raises(Exception, match=r"row 3, reference"):
        settle(good, bad)
    assert not SettlementImport.objects.exists()
    assert not SettlementEntry.objects.exists()


def test_days_that_are_over_are_fetched_by_the_clock(payment: Payment) -> None:
    assert desk.fetch_due() == 2  # the last day, and the one whose late rows it may bring
    assert desk.fetch_due() == 0
    for job in Job.objects.filter(kind=desk.FETCH):
        execute(job.pk)
    days = {source.day for source in SettlementImport.objects.all()}
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert days == {yesterday, yesterday - timedelta(days=1)}
    assert settlements.due("simulator") == []


def test_payout_and_fee_are_known_once_whatever_the_place(db: None) -> None:
    settle(flat(MovementKind.PAYOUT, -5))
    assert settle(flat(MovementKind.PAYOUT, -5)).new_rows == 0
