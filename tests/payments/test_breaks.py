"""Solving differences: two people, evidence where money is booked, nothing silently."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.audit.models import Event
from backoffice.money import Money
from payments.models import (
    Account,
    Break,
    Evidence,
    LedgerEntry,
    LedgerTransaction,
    Payment,
    ReconciledDay,
    Refund,
    SettlementEntry,
)
from payments.services import breaks, checking, evidence, reconciliation
from payments.services.breaks import Solution
from tests.payments.settled import DAY, capture, match, paid, refund, refunded, settle, strange
from tests.people import make_person

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
def found(payment: Payment) -> Break:
    """A refund of £3 of our payment that nobody here made."""
    match(capture(payment), strange(payment))
    return Break.objects.get()


@pytest.fixture
def proof(max_: User) -> Evidence:
    file = SimpleUploadedFile("mail.pdf", b"%PDF-1.4 proof")
    return evidence.keep(evidence.inspect(file, actor=max_), name="proof", actor=max_)


@pytest.fixture
def mia(db: None) -> User:
    return make_person("mia", "finance")


def booked(account: Account) -> int:
    rows = LedgerEntry.objects.filter(account=account)
    return sum(rows.values_list("minor", flat=True))


def test_two_people_solve_and_the_difference_is_booked(
    found: Break, proof: Evidence, max_: User, mia: User
) -> None:
    request = breaks.propose(found, Solution.BOOK, note="Seen there", evidence=proof, actor=max_)
    assert (found.state, booked(Account.DIFFERENCES)) == ("proposed", 0)
    assert request.payload["amount_minor"] == 300
    approvals.approve(request, actor=mia)
    found.refresh_from_db()
    assert (found.state, found.solved_at is None) == ("solved", False)
    assert booked(Account.DIFFERENCES) == 300
    booking = LedgerTransaction.objects.get(kind="adjustment")
    assert (booking.day, booking.payment) == (DAY, found.payment)
    event = Event.objects.get(verb="payments.break_solved")
    assert (event.actor, event.context["solution"]) == (mia, "book")


def test_who_proposes_does_not_agree(found: Break, max_: User) -> None:
    request = breaks.propose(found, Solution.EXPLAINED, note="Known", actor=max_)
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=max_)
    found.refresh_from_db()
    assert found.state == "proposed"


def test_database_lets_nobody_solve_without_an_approval(found: Break) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Break.objects.filter(pk=found.pk).update(state="solved", solved_at=found.found_at)


def test_refund_made_there_is_taken_in_as_external(
    found: Break, proof: Evidence, max_: User, kim: User
) -> None:
    request = breaks.propose(
        found, Solution.EXTERNAL, note="Made there", evidence=proof, actor=max_
    )
    approvals.approve(request, actor=kim)
    taken = Refund.objects.get()
    assert (taken.state, taken.amount, taken.gateway_ref) == (
        "external", Money(300, "GBP"), "re_strange",
    )  # fmt: skip
    assert booked(Account.RETURNS) == 300
    day = reconciliation.match_day("simulator", DAY, actor=None)
    assert day.matched == 2
    assert list(checking.books()) == []


def test_solution_that_was_rejected_opens_the_break_again(
    found: Break, max_: User, mia: User
) -> None:
    request = breaks.propose(found, Solution.GATEWAY, note="They will", actor=max_)
    approvals.reject(request, actor=mia, comment="They will not")
    found.refresh_from_db()
    assert (found.state, found.solution, found.note) == ("open", "", "")
    breaks.propose(found, Solution.EXPLAINED, note="Seen again", actor=mia)


def test_money_is_not_booked_without_evidence(found: Break, max_: User) -> None:
    for solution in (Solution.BOOK, Solution.EXTERNAL):
        with pytest.raises(ValidationError, match="evidence"):
            breaks.propose(found, solution, note="Trust me", actor=max_)
    with pytest.raises(ValidationError, match="found out"):
        breaks.propose(found, Solution.EXPLAINED, note=" ", actor=max_)


def test_evidence_that_was_exchanged_voids_the_proposal(
    found: Break, proof: Evidence, max_: User, mia: User
) -> None:
    request = breaks.propose(found, Solution.BOOK, note="Seen", evidence=proof, actor=max_)
    file = SimpleUploadedFile("x.pdf", b"%PDF-1.4 x")
    other = evidence.keep(evidence.inspect(file, actor=max_), name="x", actor=max_)
    Break.objects.filter(pk=found.pk).update(evidence=other)
    approvals.approve(request, actor=mia)
    request.refresh_from_db()
    found.refresh_from_db()
    assert (request.state, found.state) == ("void", "open")
    assert booked(Account.DIFFERENCES) == 0


def test_second_proposal_is_refused_while_one_waits(found: Break, max_: User, mia: User) -> None:
    breaks.propose(found, Solution.EXPLAINED, note="Known", actor=max_)
    with pytest.raises(ValidationError, match="proposed"):
        breaks.propose(Break.objects.get(), Solution.EXPLAINED, note="Known", actor=mia)


def test_support_and_auditor_propose_nothing(found: Break, eve: User, ada: User) -> None:
    for person in (eve, ada):
        with pytest.raises(PermissionDenied):
            breaks.propose(found, Solution.EXPLAINED, note="Known", actor=person)


def test_only_a_refund_nobody_asked_for_can_be_taken_in(eve: User) -> None:
    payment = paid()
    back = refunded(payment, 700, eve)
    match(capture(payment), refund(back, amount=Money(-600, "GBP")))
    assert Solution.EXTERNAL not in breaks.solutions(Break.objects.get())


def test_other_amount_and_currency_are_booked_as_theirs_less_ours(eve: User) -> None:
    payment = paid()
    first, second = refunded(payment, 700, eve), refunded(payment, 300, eve)
    other = Money(-300, "EUR")
    match(
        capture(payment),
        refund(first, amount=Money(-650, "GBP")),
        refund(second, amount=other, fee=other * 0),
    )
    booked_as = [breaks.adjustments(found) for found in Break.objects.order_by("pk")]
    assert booked_as == [[Money(50, "GBP")], [Money(300, "GBP"), Money(-300, "EUR")]]


def test_break_that_heals_while_it_waits_voids_the_proposal(
    found: Break, payment: Payment, max_: User, eve: User
) -> None:
    request = breaks.propose(found, Solution.EXPLAINED, note="Known", actor=max_)
    refunded(payment, 300, eve, reference="re_strange")
    settle(day=DAY)
    reconciliation.match_day("simulator", DAY, actor=None)
    request.refresh_from_db()
    found.refresh_from_db()
    assert (request.state, found.state) == ("void", "healed")


def solve(found: Break, solution: Solution, proof: Evidence, one: User, other: User) -> str:
    """Propose, and agree; return what became of the proposal."""
    request = breaks.propose(found, solution, note="Seen there", evidence=proof, actor=one)
    approvals.approve(request, actor=other)
    request.refresh_from_db()
    return request.state


def close_day(day: date, by: User) -> None:
    row = reconciliation.day_of("simulator", day)
    ReconciledDay.objects.filter(pk=row.pk).update(
        state="closed", closed_by=by, closed_at=timezone.now()
    )


def at_gateway() -> int:
    return booked(Account.CLEARING)


@pytest.mark.parametrize("then", ["open", "closed"])
@pytest.mark.parametrize("ours", [300, 425])
def test_what_was_booked_and_is_booked_by_us_as_well_is_a_new_difference(
    found: Break, payment: Payment, proof: Evidence, max_: User, mia: User, then: str, ours: int
) -> None:
    solve(found, Solution.BOOK, proof, max_, mia)
    if then == "closed":
        close_day(DAY, mia)
    right = at_gateway()
    refunded(payment, ours, max_, reference="re_strange")
    reconciliation.match_day("simulator", DAY + timedelta(days=1), actor=None)
    new = Break.objects.exclude(pk=found.pk).get()
    assert (new.kind, new.ours_minor, new.theirs_minor) == ("amount", -300 - ours, -300)
    assert new.day == (DAY + timedelta(days=1) if then == "closed" else DAY)
    solve(new, Solution.BOOK, proof, max_, mia)
    assert at_gateway() == right
    for day in (DAY, DAY + timedelta(days=1)):
        reconciliation.match_day("simulator", day, actor=None)
    assert Break.objects.count() == 2


@pytest.mark.parametrize("then", ["open", "closed"])
@pytest.mark.parametrize("solution", [Solution.EXPLAINED, Solution.GATEWAY])
def test_row_that_was_explained_and_is_booked_by_us_otherwise_is_a_new_difference(
    found: Break, payment: Payment, proof: Evidence, max_: User, mia: User,
    then: str, solution: Solution,
) -> None:  # fmt: skip
    solve(found, solution, proof, max_, mia)
    if then == "closed":
        close_day(DAY, mia)
    refunded(payment, 425, max_, reference="re_strange")
    for _time in range(2):
        reconciliation.match_day("simulator", DAY + timedelta(days=1), actor=None)
    new = Break.objects.exclude(pk=found.pk).get()
    assert (new.kind, new.ours_minor, new.theirs_minor) == ("amount", -425, -300)
    assert new.day == (DAY + timedelta(days=1) if then == "closed" else DAY)
    solve(new, Solution.BOOK, proof, max_, mia)
    assert at_gateway() == 2_000 - 300


def test_row_that_was_explained_and_is_booked_by_us_as_it_stands_is_no_difference(
    found: Break, payment: Payment, proof: Evidence, max_: User, mia: User
) -> None:
    solve(found, Solution.EXPLAINED, proof, max_, mia)
    refunded(payment, 300, max_, reference="re_strange")
    reconciliation.match_day("simulator", DAY + timedelta(days=1), actor=None)
    assert Break.objects.get() == found


@pytest.mark.parametrize("then", ["open", "closed"])
def test_row_that_comes_after_its_booking_was_taken_back_is_a_new_difference(
    payment: Payment, proof: Evidence, max_: User, mia: User, then: str
) -> None:
    back = refunded(payment, 300, max_)
    match(capture(payment))
    solve(Break.objects.get(kind="missing_there"), Solution.BOOK, proof, max_, mia)
    if then == "closed":
        close_day(DAY, mia)
    settle(refund(back))
    reconciliation.match_day("simulator", DAY, actor=None)
    new = Break.objects.get(kind="amount")
    assert (new.ours_minor, new.theirs_minor) == (0, -300)
    solve(new, Solution.BOOK, proof, max_, mia)
    assert at_gateway() == 1_700
    reconciliation.match_day("simulator", DAY, actor=None)
    assert Break.objects.count() == 2


def test_other_currency_that_was_booked_already_is_booked_once(
    payment: Payment, proof: Evidence, max_: User, mia: User
) -> None:
    euros = Money(-300, "EUR")
    match(capture(payment), strange(payment, amount=euros, fee=euros * 0))
    found = Break.objects.get()
    solve(found, Solution.BOOK, proof, max_, mia)
    refunded(payment, 250, max_, reference="re_strange")
    reconciliation.match_day("simulator", DAY, actor=None)
    new = Break.objects.exclude(pk=found.pk).get()
    assert (new.kind, breaks.adjustments(new)) == ("currency", [Money(250, "GBP")])
    solve(new, Solution.BOOK, proof, max_, mia)
    reconciliation.match_day("simulator", DAY, actor=None)
    assert (at_gateway(), Break.objects.count()) == (2_000 - 300, 2)


def test_refund_of_ours_that_is_open_is_not_booked_as_a_difference(
    payment: Payment, max_: User, proof: Evidence
) -> None:
    sent = on_its_way(payment, max_)
    match(capture(payment), refund(sent))
    found = Break.objects.get()
    assert breaks.solutions(found) == [Solution.EXPLAINED, Solution.GATEWAY]
    with pytest.raises(ValidationError, match="does not fit"):
        breaks.propose(found, Solution.BOOK, note="Seen", evidence=proof, actor=max_)


def on_its_way(payment: Payment, by: User) -> Refund:
    return Refund.objects.create(
        payment=payment, gateway="simulator", gateway_ref="re_strange", amount_minor=300,
        currency="GBP", reason="Broken", state=Refund.State.PENDING, requested_by=by,
    )  # fmt: skip


@pytest.mark.parametrize("solution", [Solution.BOOK, Solution.EXTERNAL])
def test_row_that_is_a_refund_of_ours_by_now_is_neither_booked_nor_taken_in(
    found: Break, payment: Payment, proof: Evidence, max_: User, mia: User, solution: Solution
) -> None:
    request = breaks.propose(found, solution, note="Made there", evidence=proof, actor=max_)
    sent = on_its_way(payment, max_)  # the gateway's reference came after the proposal
    approvals.approve(request, actor=mia)
    for row in (request, found, sent):
        row.refresh_from_db()
    assert (request.state, found.state, sent.state) == ("void", "open", "pending")
    assert booked(Account.DIFFERENCES) == 0


def test_row_that_is_booked_by_now_is_not_booked_once_more(
    found: Break, payment: Payment, proof: Evidence, max_: User, mia: User
) -> None:
    request = breaks.propose(found, Solution.BOOK, note="Seen", evidence=proof, actor=max_)
    made = refunded(payment, 425, max_, reference="re_strange")
    SettlementEntry.objects.filter(kind="refund").update(refund=made)
    approvals.approve(request, actor=mia)
    request.refresh_from_db()
    assert (request.state, booked(Account.DIFFERENCES)) == ("void", 0)
    reconciliation.match_day("simulator", DAY + timedelta(days=1), actor=None)
    assert list(Break.objects.order_by("pk").values_list("kind", "state", "ours_minor")) == [
        ("missing_here", "healed", None), ("amount", "open", -425),
    ]  # fmt: skip
