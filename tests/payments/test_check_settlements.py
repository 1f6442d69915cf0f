"""`manage.py money check --settlements`: what ledger and settlement say otherwise is named."""

from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.money import Money
from payments.gateways.base import MovementKind
from payments.models import Break, LedgerTransaction, ReconciledDay, SettlementEntry
from payments.services import breaks, closing, reconciliation
from payments.services.breaks import Solution
from tests.payments.settled import (
    AT,
    DAY,
    capture,
    flat,
    match,
    paid,
    refund,
    refunded,
    settle,
    strange,
)
from tests.people import make_person

pytestmark = pytest.mark.django_db
NO_SETTLEMENT = (
    "settlement: day simulator 2026-03-04: The settlements of the day and of 1 day after it were"
    " not all fetched."
)


@pytest.fixture(autouse=True)
def _gateway(settings: Settings) -> None:
    """The simulator settles by UTC, a day late at most; no fee was agreed."""
    entry = {**settings.GATEWAYS["simulator"]}
    entry.pop("SETTLING", None)
    settings.GATEWAYS = {"simulator": entry}


@pytest.fixture
def day(eve: User) -> ReconciledDay:
    """A day with a movement of each kind but disputes, that agrees."""
    payment = paid()
    back = refund(refunded(payment, 700, eve))
    flats = flat(MovementKind.PAYOUT, -1_250), flat(MovementKind.FEE, -30)
    return match(capture(payment, fee=20), back, *flats)


def told(*options: str) -> list[str]:
    """Return the lines of the command that are about settlements."""
    out = StringIO()
    with suppress(SystemExit):
        call_command("money", "check", "--settlements", *options, stdout=out, stderr=StringIO())
    return [line for line in out.getvalue().splitlines() if line.startswith("settlement: ")]


def change_capture() -> None:
    """Take a penny from the settled capture, past the desk."""
    SettlementEntry.objects.filter(kind="capture").update(amount_minor=1_999)


def test_days_that_agree_have_nothing_to_say(day: ReconciledDay) -> None:
    assert (day.matched, told()) == (4, [])


def test_day_that_nobody_compared_is_named_once_it_is_over() -> None:
    paid(at=timezone.now())
    assert told() == []
    paid()
    assert told() == [NO_SETTLEMENT]
    assert told("--since", "2026-03-05") == told("--until", "2026-03-04") == []
    with pytest.raises(SystemExit):
        call_command("money", "check", "--settlements", stdout=StringIO(), stderr=StringIO())
    out = StringIO()
    call_command("money", "check", stdout=out)  # only where it is asked for
    assert out.getvalue() == "All rules hold.\n"


def test_day_that_was_not_matched_since_rows_came_is_named(day: ReconciledDay) -> None:
    settle(capture(paid()))
    why = "The day was not matched since the last settlement came."
    assert told() == [f"settlement: day simulator 2026-03-04: {why}"]


def test_difference_is_named_until_two_people_solved_it(max_: User) -> None:
    payment = paid()
    match(capture(payment), strange(payment))
    found = Break.objects.get()
    text = f"Missing here on 2026-03-04: ours none, theirs {Money(-300, 'GBP')}"
    assert told() == [f"settlement: difference {found.pk}: {text}"]
    request = breaks.propose(found, Solution.EXPLAINED, note="Known", actor=max_)
    assert len(told()) == 1
    approvals.approve(request, actor=make_person("mia", "finance"))
    assert told() == []


def test_movement_that_differs_without_a_difference_is_named(day: ReconciledDay) -> None:
    entry = SettlementEntry.objects.get(kind="capture")
    change_capture()
    text = "Amount differs: ours £20.00, theirs £19.99"
    assert told() == [f"settlement: settled movement {entry.pk}: {text}"]
    reconciliation.match_day("simulator", DAY, actor=None)
    text = "Amount differs on 2026-03-04: ours £20.00, theirs £19.99"
    assert told() == [f"settlement: difference {Break.objects.get().pk}: {text}"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"kind": "fee", "amount_minor": -5}, "fee of £0.05 is not booked"),
        ({"kind": "payout", "amount_minor": -500}, "payout of £5.00 is not booked"),
    ],
)
def test_fee_or_payout_that_is_not_booked_is_named(
    day: ReconciledDay, values: dict[str, object], text: str
) -> None:
    source = SettlementEntry.objects.filter(day=DAY)[0].source
    entry = SettlementEntry.objects.create(
        gateway="simulator", row_hash="new", source=source, day=DAY, currency="GBP", **values
    )
    assert told() == [f"settlement: settled movement {entry.pk}: {text}"]


def test_booking_that_no_movement_is_settled_for_is_named(day: ReconciledDay) -> None:
    late = paid(at=AT)  # recorded after the day was matched
    booking = LedgerTransaction.objects.get(payment=late)
    text = "Payment captured of 2026-03-04: no movement is settled for it"
    assert told() == [f"settlement: booking {booking.pk}: {text}"]
    reconciliation.match_day("simulator", DAY, actor=None)
    text = "Missing at the gateway on 2026-03-04: ours £20.00, theirs none"
    assert told() == [f"settlement: difference {Break.objects.get().pk}: {text}"]


def test_closed_day_is_left_to_its_own_rule(day: ReconciledDay, max_: User) -> None:
    closing.close("simulator", DAY, actor=max_)
    change_capture()
    assert told() == []


def test_number_of_queries_does_not_grow_with_rows(day: ReconciledDay) -> None:
    counts = []
    for more in range(2):
        match(*(capture(paid()) for _ in range(3 * more)))
        with CaptureQueriesContext(connection) as captured:
            assert told() == []
        counts.append(len(captured))
    assert counts[0] == counts[1]
