"""Settlements of a real gateway: fetched by a job, whole or not at all, and what they heal."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import MovementKind, NotOfferedError, PaymentSnapshot, SettlementRow
from payments.gateways.settling import Settling
from payments.gateways.simulator import Simulator
from payments.models import Payment, ReconciledDay, Refund, SettlementEntry, SettlementImport
from payments.services import captures, closing, commands, desk, reconciliation, settlements
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


def given(day: date, *rows: SettlementRow, gateway: str = "simulator") -> SettlementImport:
    """Take in what a person uploaded as the account of a day."""
    source = SettlementImport(gateway=gateway, source="file", day=day)
    return settlements.take(source, rows, actor=None)


def before(days: int) -> date:
    return DAY - timedelta(days=days)


@pytest.fixture
def _day_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the day after DAY."""
    monkeypatch.setattr(Settling, "today", lambda _self: DAY + timedelta(days=1))


@pytest.mark.usefixtures("_day_after")
def test_file_neither_ends_a_day_nor_keeps_the_api_from_it(payment: Payment, max_: User) -> None:
    earlier, day = before(1), DAY
    for one in (earlier, day):
        given(one, capture(paid(), occurred_on=one))
        reconciliation.match_day("simulator", one, actor=None)
    assert SettlementEntry.objects.exclude(payment=None).count() == 2  # matched without the API
    assert settlements.due("simulator") == [earlier, day]
    with pytest.raises(closing.NotClosableError, match="not all fetched"):
        closing.close("simulator", earlier, actor=max_)
    assert desk.fetch_due() == 2
    settle(day=earlier)
    assert settlements.is_fetched("simulator", earlier)
    assert settlements.due("simulator") == [day]


def test_file_is_the_account_where_there_is_nothing_else_to_read(db: None) -> None:
    later = DAY + timedelta(days=1)
    given(later, capture(paid()), gateway="manual")
    assert settlements.is_fetched("manual", later)
    assert settlements.is_fetched("manual", DAY)  # a report of several days
    assert not settlements.is_fetched("manual", DAY - timedelta(days=1))


@pytest.mark.usefixtures("_day_after")
def test_days_in_which_the_api_was_broken_are_fetched_later(db: None) -> None:
    settle(day=before(20))
    settle(day=before(3))
    last = range(settlements.MOST_BACK, -1, -1)
    assert settlements.due("simulator") == [before(one) for one in last if one != 3]


@pytest.mark.parametrize("error", [LookupError, IntegrityError])
def test_refund_that_cannot_be_worked_on_keeps_no_account_from_being_matched(
    lost: Refund, max_: User, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(*_args: object) -> None:
        raise error

    monkeypatch.setattr("payments.services.external.look_at", broken)
    day = datetime.now(UTC).date()
    job = desk.start_fetch("simulator", day, actor=max_)
    execute(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result["looked_up"]) == ("done", 0)
    assert ReconciledDay.objects.get(day=day).matched_at is not None


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
