"""Matching a day: whose a movement is, what differs, what heals; once, and nothing corrected."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.money import Money
from payments.gateways.base import MovementKind
from payments.models import (
    Account,
    Break,
    Dispute,
    LedgerEntry,
    LedgerTransaction,
    Payment,
    ReconciledDay,
    Refund,
    SettlementEntry,
)
from payments.services import ledger, reconciliation
from tests.payments.settled import (
    AT,
    DAY,
    breaks,
    capture,
    entries,
    flat,
    match,
    paid,
    refund,
    refunded,
    settle,
    strange,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _gateway(settings: Settings) -> None:
    """The simulator settles by UTC, a day late at most; no fee was agreed."""
    entry = {**settings.GATEWAYS["simulator"]}
    entry.pop("SETTLING", None)
    settings.GATEWAYS = {"simulator": entry}


def on_account(account: Account) -> int:
    return sum(LedgerEntry.objects.filter(account=account).values_list("minor", flat=True))


def test_day_that_agrees_has_no_breaks_and_books_fees_and_payout(eve: User) -> None:
    payment = paid()
    back = refunded(payment, 700, eve)
    rows = [capture(payment, fee=48), refund(back)]
    day = match(*rows, flat(MovementKind.FEE, -30), flat(MovementKind.PAYOUT, -1_222))
    assert (breaks(), day.matched) == ([], 4)
    assert (on_account(Account.FEES), on_account(Account.BANK)) == (78, 1_222)
    assert on_account(Account.CLEARING) == 0
    assert day.sums == {
        "GBP": {
            "capture": [2_000, 2_000, 1, 1],
            "refund": [-700, -700, 1, 1],
            "fee": [-78, -78, 2, 1],
            "payout": [-1_222, -1_222, 1, 1],
        }
    }


def test_day_matched_twice_writes_nothing_twice(eve: User) -> None:
    payment = paid()
    rows = [capture(payment, fee=48), strange(payment)]
    match(*rows)
    before = (breaks(), LedgerTransaction.objects.count(), SettlementEntry.objects.count())
    match(*rows)
    assert (breaks(), LedgerTransaction.objects.count(), SettlementEntry.objects.count()) == before
    assert Event.objects.filter(verb="payments.break_found").count() == 1


def test_refund_that_we_never_made_is_missing_here() -> None:
    payment = paid()
    match(capture(payment), strange(payment))
    assert breaks() == [("missing_here", "open", None, -300)]
    found = Break.objects.get()
    assert (found.payment, found.refund, found.entry_id is None) == (payment, None, False)


def test_payment_that_we_never_saw_is_missing_here() -> None:
    match(replace(capture(paid()), reference="pay_x", payment_reference="pay_x"))
    assert [found[0] for found in breaks()] == ["missing_here", "missing_there"]


def test_row_that_is_missing_there_is_named_once_it_cannot_be_late(eve: User) -> None:
    payment = paid()
    refunded(payment, 700, eve)
    settle(capture(payment))
    reconciliation.match_day("simulator", DAY, actor=None)
    assert breaks() == []  # it may still stand on the next day
    settle(day=DAY + timedelta(days=1))
    reconciliation.match_day("simulator", DAY, actor=None)
    assert breaks() == [("missing_there", "open", -700, None)]


def test_refund_of_the_last_minute_is_settled_the_next_day(eve: User) -> None:
    payment = paid()
    back = refunded(payment, 700, eve)
    settle(capture(payment))
    settle(refund(back, occurred_on=DAY + timedelta(days=1)), day=DAY + timedelta(days=1))
    for later in (0, 1):
        reconciliation.match_day("simulator", DAY + timedelta(days=later), actor=None)
    assert breaks() == []


def test_row_that_comes_later_heals_its_break_on_the_record(eve: User) -> None:
    payment = paid()
    back = refunded(payment, 700, eve)
    match(capture(payment))
    settle(refund(back, occurred_on=DAY + timedelta(days=2)), day=DAY + timedelta(days=2))
    reconciliation.match_day("simulator", DAY + timedelta(days=2), actor=None)
    assert breaks() == [("missing_there", "healed", -700, None)]
    event = Event.objects.get(verb="payments.break_healed")
    assert (event.actor, event.context["kind"]) == (None, "missing_there")


def test_refund_that_is_taken_in_later_heals_its_break(eve: User) -> None:
    payment = paid()
    match(capture(payment), strange(payment))
    made = refunded(payment, 300, eve, reference="re_strange")
    reconciliation.match_day("simulator", DAY, actor=None)
    assert breaks() == [("missing_here", "healed", None, -300)]
    assert SettlementEntry.objects.get(kind="refund").refund == made


DIFFERENT = {
    "amount": (Money(-699, "GBP"), ("amount", "open", -700, -699)),
    "currency": (Money(-700, "EUR"), ("currency", "open", -700, -700)),
    "minor_units": (Money(-700, "JPY"), ("currency", "open", -700, -700)),
}


@pytest.mark.parametrize("how", DIFFERENT)
def test_amount_and_currency_have_to_be_the_same(eve: User, how: str) -> None:
    amount, found = DIFFERENT[how]
    payment = paid()
    back = refunded(payment, 700, eve)
    match(capture(payment), refund(back, amount=amount, fee=amount * 0))
    assert breaks() == [found]


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 1_000), ("KRW", 12_000), ("BHD", 12_345)])
def test_currencies_of_other_minor_units_agree(eve: User, currency: str, minor: int) -> None:
    payment = paid(minor, currency=currency)
    back = refunded(payment, minor, eve)
    day = match(capture(payment), refund(back))
    assert (breaks(), day.matched) == ([], 2)
    assert day.sums[currency]["refund"] == [-minor, -minor, 1, 1]


def test_fee_is_compared_where_one_was_agreed(settings: Settings) -> None:
    fees = {"capture": {"GBP": {"percent": "1.4", "fixed": "0.20"}}}
    settings.GATEWAYS = {
        "simulator": {**settings.GATEWAYS["simulator"], "SETTLING": {"FEES": fees}}
    }
    right, wrong = paid(), paid()
    match(capture(right, fee=48), capture(wrong, fee=49))
    assert breaks() == [("fee", "open", 48, 49)]
    assert on_account(Account.FEES) == 48  # what differs is not booked before it is solved


def test_fee_is_not_compared_where_none_was_agreed() -> None:
    match(capture(paid(), fee=1_999))
    assert breaks() == []


def test_row_settled_twice_stays_visible(eve: User) -> None:
    payment = paid()
    back = refunded(payment, 700, eve)
    match(capture(payment), refund(back), refund(back))
    assert breaks() == [("twice", "open", None, -700)]


def test_reversal_belongs_to_its_refund(eve: User) -> None:
    payment = paid()
    back = refunded(payment, 700, eve)
    Refund.objects.filter(pk=back.pk).update(state="reversed")
    ledger.book_reversal(back)
    match(
        capture(payment),
        refund(back),
        refund(back, kind=MovementKind.REVERSAL, amount=Money(700, "GBP")),
    )
    assert breaks() == []


def test_chargeback_taken_twice_needs_two_bookings() -> None:
    payment = paid()
    dispute = Dispute.objects.create(
        payment=payment, gateway="simulator", reference="dp_1", amount_minor=2_000,
        currency="GBP", opened_at=AT,
    )  # fmt: skip
    ledger.book_chargeback(dispute)
    row = replace(
        capture(payment), kind=MovementKind.CHARGEBACK, reference="dp_1", amount=-payment.captured
    )
    match(capture(payment), row, row)
    assert breaks() == [("twice", "open", None, -2_000)]


def test_refund_matches_by_our_number_where_the_reference_is_another(eve: User) -> None:
    payment = paid()
    back = refunded(payment, 700, eve)
    match(capture(payment), refund(back, reference="balance_1"))
    assert breaks() == []


def test_refund_matches_by_payment_and_amount_where_no_reference_is_told(eve: User) -> None:
    payment = paid()
    refunded(payment, 200, eve)
    back = refunded(payment, 700, eve)
    settle(refund(back, reference="", number=""))
    reconciliation.match_day("simulator", DAY, actor=None)
    assert SettlementEntry.objects.get().refund == back


def test_two_references_that_differ_are_two_refunds(eve: User) -> None:
    """A refund of the same amount, made at the gateway besides ours, is not ours."""
    payment = paid()
    refunded(payment, 700, eve)
    match(capture(payment), strange(payment, 700))
    assert [found[0] for found in breaks()] == ["missing_here", "missing_there"]


def test_amount_that_fits_two_refunds_is_nobodys(eve: User) -> None:
    payment = paid()
    for _two in range(2):
        refunded(payment, 700, eve)
    settle(strange(payment, 700, reference=""))
    reconciliation.match_day("simulator", DAY, actor=None)
    assert SettlementEntry.objects.get().refund is None


def test_capture_matches_by_the_number_of_its_order() -> None:
    payment = paid()
    row = capture(payment, reference="tx_1", payment_reference="", number=payment.order.number)
    match(row)
    assert breaks() == []


def test_same_file_and_overlapping_days_bring_nothing_twice(eve: User) -> None:
    one, two = paid(), paid()
    first, second = capture(one), capture(two, occurred_on=DAY + timedelta(days=1))
    settle(first, second)
    again = settle(first, second, replace(first, place="row 77"))
    assert (again.rows, again.new_rows) == (3, 1)  # equal rows of one file are two
    assert len(entries()) == 3
    assert settle(second, day=DAY + timedelta(days=1)).new_rows == 0


def test_day_is_that_of_the_gateways_zone(settings: Settings) -> None:
    settings.GATEWAYS = {
        "simulator": {**settings.GATEWAYS["simulator"], "SETTLING": {"ZONE": "Asia/Seoul"}}
    }
    payment = paid(at=AT.replace(hour=16))  # 01:00 of the next day in Seoul
    match(capture(payment, occurred_on=DAY + timedelta(days=1)), day=DAY + timedelta(days=1))
    day = reconciliation.day_of("simulator", DAY + timedelta(days=1))
    assert (breaks(), day.sums["GBP"]["capture"]) == ([], [2_000, 2_000, 1, 1])


def test_late_row_of_a_closed_day_is_a_break_of_the_next_open_day(kim: User) -> None:
    payment, later = paid(), paid()
    day = match(capture(payment), capture(later))
    close(day.pk, kim, timezone.now())
    other = paid(at=AT)  # booked on the next open day
    settle(capture(other, fee=30))
    reconciliation.match_day("simulator", DAY, actor=None)
    found = Break.objects.get()
    assert (found.kind, found.day) == ("late", DAY + timedelta(days=1))
    assert on_account(Account.FEES) == 0
    day.refresh_from_db()
    assert day.matched == 2


def close(pk: int, by: User, at: datetime) -> None:
    ReconciledDay.objects.filter(pk=pk).update(state="closed", closed_by=by, closed_at=at)


def test_queries_do_not_grow_with_rows() -> None:
    def queries(count: int) -> int:
        payments: list[Payment] = [paid() for _row in range(count)]
        settle(*(capture(payment) for payment in payments))
        with CaptureQueriesContext(connection) as captured:
            reconciliation.match_day("simulator", DAY, actor=None)
        return len(captured)

    queries(1)
    assert queries(3) == queries(20)
