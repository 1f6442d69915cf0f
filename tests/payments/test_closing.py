"""Closing a day: what keeps it open, what it keeps out, who opens it again, two at once."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.audit.models import Event
from payments.gateways.settling import settling
from payments.models import Break, Payment, ReconciledDay, Refund
from payments.services import breaks, closing, ledger, reconciliation, settlements
from payments.services.breaks import Solution
from tests.payments.settled import AT, DAY, capture, match, paid, refunded, settle, strange
from tests.people import make_person
from tests.processes import python

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _gateway(settings: Settings) -> None:
    entry = {**settings.GATEWAYS["simulator"]}
    entry.pop("SETTLING", None)
    settings.GATEWAYS = {"simulator": entry}


@pytest.fixture
def payment() -> Payment:
    return paid()


@pytest.fixture
def day(payment: Payment) -> ReconciledDay:
    """A day that agrees."""
    return match(capture(payment))


def why(day: ReconciledDay) -> list[str]:
    return list(closing.why_not(ReconciledDay.objects.get(pk=day.pk)))


def test_day_that_agrees_is_closed_with_its_sums_on_record(day: ReconciledDay, max_: User) -> None:
    closed = closing.close("simulator", DAY, actor=max_)
    assert (closed.state, closed.closed_by) == ("closed", max_)
    event = Event.objects.get(verb="payments.day_closed")
    assert (event.actor, event.context["sums"]) == (max_, {"GBP": {"capture": [2000, 2000, 1, 1]}})
    assert closed.history.latest().history_user == max_


def test_day_is_closed_once(day: ReconciledDay, max_: User) -> None:
    closing.close("simulator", DAY, actor=max_)
    with pytest.raises(closing.NotClosableError, match="closed"):
        closing.close("simulator", DAY, actor=max_)


def test_day_with_an_open_or_proposed_break_stays_open(payment: Payment, max_: User) -> None:
    day = match(capture(payment), strange(payment))
    assert why(day) == ["1 difference is not solved."]
    request = breaks.propose(Break.objects.get(), Solution.EXPLAINED, note="Known", actor=max_)
    assert why(day) == ["1 difference is not solved."]
    with pytest.raises(closing.NotClosableError):
        closing.close("simulator", DAY, actor=max_)
    approvals.approve(request, actor=make_person("mia", "finance"))
    assert why(day) == []


@pytest.mark.parametrize("state", ["unknown", "needs_review", "executing"])
def test_day_with_a_refund_nobody_knows_of_stays_open(
    day: ReconciledDay, payment: Payment, eve: User, state: str
) -> None:
    back = refunded(payment, 100, eve)
    Refund.objects.filter(pk=back.pk).update(state=state, created_at=AT)
    assert why(day) == ["Of 1 refund nobody knows yet whether it went out."]


def test_day_without_its_settlement_stays_open(payment: Payment) -> None:
    day = reconciliation.match_day("simulator", DAY, actor=None)
    assert why(day) == ["The settlements of the day and of 1 day after it were not all fetched."]


def test_day_that_was_not_matched_since_the_last_rows_stays_open(day: ReconciledDay) -> None:
    settle(capture(paid()))
    assert "The day was not matched since the last settlement came." in why(day)


def test_today_stays_open(payment: Payment) -> None:
    today = settling("simulator").today()
    assert why(match(day=today)) == ["The day is not over at the gateway."]


def test_account_that_was_read_before_the_day_ended_does_not_count(
    payment: Payment, settings: Settings
) -> None:
    today = settling("simulator").today()
    settle(day=today)
    assert not settlements.is_fetched("simulator", today)
    settle(day=today - timedelta(days=1))
    assert settlements.is_fetched("simulator", today - timedelta(days=1))


def test_closed_day_refuses_bookings_and_keeps_its_sums(
    day: ReconciledDay, max_: User, payment: Payment, eve: User
) -> None:
    closing.close("simulator", DAY, actor=max_)
    back = refunded(payment, 100, eve)
    assert back.bookings.get().day == DAY + timedelta(days=1)
    settle(strange(payment))
    reconciliation.match_day("simulator", DAY, actor=None)
    day.refresh_from_db()
    assert day.sums == {"GBP": {"capture": [2000, 2000, 1, 1]}}
    late = Break.objects.get()
    assert (late.kind, late.day) == ("missing_here", DAY + timedelta(days=1))


def test_closing_needs_the_right(day: ReconciledDay, eve: User, ada: User, kim: User) -> None:
    for person in (eve, ada, kim):
        with pytest.raises(PermissionDenied):
            closing.close("simulator", DAY, actor=person)


def test_two_people_open_a_day_again(day: ReconciledDay, max_: User) -> None:
    closed = closing.close("simulator", DAY, actor=max_)
    request = closing.ask_reopen(closed, actor=max_, reason="A row was wrong")
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=max_)
    mia = make_person("mia", "finance")
    approvals.approve(request, actor=mia)
    day.refresh_from_db()
    assert (day.state, day.closed_by, day.closed_at) == ("open", None, None)
    assert Event.objects.get(verb="payments.day_reopened").actor == mia
    assert ledger.book_capture(paid()).day == DAY


def test_open_day_is_not_opened_again(day: ReconciledDay, max_: User) -> None:
    with pytest.raises(ValidationError):
        closing.ask_reopen(day, actor=max_, reason="Why not")


CLOSER = """
import sys, django
django.setup()
from datetime import date
from backoffice.accounts.models import User
from payments.services import closing
print("ready", flush=True)
sys.stdin.readline()
try:
    day, person = date.fromisoformat(sys.argv[1]), User.objects.get(pk=sys.argv[2])
    closing.close("simulator", day, actor=person)
except closing.NotClosableError:
    print("refused")
else:
    print("closed")
"""


@pytest.mark.django_db(transaction=True)
def test_of_two_closers_at_once_one_closes(max_: User) -> None:
    match(capture(paid()))
    mia = make_person("mia", "finance")
    with ExitStack() as stack:
        closers = [
            stack.enter_context(python("-c", CLOSER, str(DAY), str(person.pk)))
            for person in (max_, mia, max_, mia)
        ]
        for process in closers:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
        for process in closers:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = sorted(process.communicate(timeout=120)[0].strip() for process in closers)
    assert said == ["closed", "refused", "refused", "refused"]
    assert Event.objects.filter(verb="payments.day_closed").count() == 1


def test_closed_day_has_a_moment(day: ReconciledDay, max_: User) -> None:
    before = timezone.now()
    closed = closing.close("simulator", DAY, actor=max_)
    assert closed.closed_at is not None
    assert before <= closed.closed_at <= timezone.now()
