"""Votes of several people: who counts, what voids, what the database refuses by itself."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from backoffice.accounts.models import User
from backoffice.approvals import delegations, registry, services
from backoffice.approvals.models import ApprovalRequest, Delegation, Vote
from backoffice.approvals.registry import Rule
from backoffice.audit import context
from backoffice.audit.models import Event
from backoffice.jobs import run as job_run
from backoffice.jobs.models import Job
from customers.models import Customer
from tests.approvals.rules import KIND, RIGHT, ask_move, effects_of, move_rule
from tests.people import allow

State = ApprovalRequest.State
pytestmark = pytest.mark.usefixtures("move")
HOUR = dt.timedelta(hours=1)


def hand_over(giver: User, stand_in: User, begin: dt.timedelta = -HOUR) -> Delegation:
    """Let the one decide for the other, from an hour ago for two hours."""
    begins = timezone.now() + begin
    return delegations.hand_over(
        stand_in, starts_at=begins, until=begins + 2 * HOUR, reason="away", actor=giver
    )


def vote(request: ApprovalRequest, voter: User, seat: User, maker: User) -> Vote:
    """Write a vote past the service."""
    with transaction.atomic():
        return Vote.objects.create(
            request=request, voter=voter, seat=seat, maker=maker, choice="approve"
        )


def test_two_of_two_execute_with_the_second_vote(ann: User, max_: User, kim: User) -> None:
    request = ask_move(ann, 50_001)
    services.approve(request, actor=max_, comment="Photos match")
    assert (request.state, effects_of(request)) == (State.REQUESTED, 0)
    services.approve(request, actor=kim)
    assert (request.state, request.decided_by, effects_of(request)) == (State.EXECUTED, kim, 1)


def test_one_person_does_not_vote_twice(ann: User, max_: User) -> None:
    request = ask_move(ann, 50_001)
    services.approve(request, actor=max_)
    with pytest.raises(PermissionDenied, match="voted already"):
        services.approve(request, actor=max_)
    assert (effects_of(request), request.votes.count()) == (0, 1)


def test_rejection_by_one_ends_it(ann: User, max_: User, kim: User) -> None:
    request = ask_move(ann, 50_001)
    services.approve(request, actor=max_)
    services.reject(request, actor=kim, comment="No photo")
    assert (request.state, effects_of(request)) == (State.REJECTED, 0)


def test_vote_of_somebody_who_lost_the_right_does_not_count(
    ann: User, max_: User, kim: User, gus: User
) -> None:
    request = ask_move(ann, 50_001)
    services.approve(request, actor=allow(gus, RIGHT))
    gus.user_permissions.clear()
    services.approve(request, actor=max_)
    assert request.state == State.REQUESTED
    services.approve(request, actor=kim)
    assert (request.state, effects_of(request)) == (State.EXECUTED, 1)


def test_owner_of_the_record_does_not_decide(ann: User, max_: User, kim: User) -> None:
    request = ask_move(ann, owner=max_.pk)
    assert request not in services.waiting_for(max_)
    with pytest.raises(PermissionDenied, match="something of yours"):
        services.approve(request, actor=max_)
    services.approve(request, actor=kim)
    assert request.state == State.EXECUTED


def test_changed_record_voids_and_names_what_changed(ann: User, max_: User) -> None:
    request = ask_move(ann)
    Customer.objects.filter(pk=request.subject_id).update(country="Peru")
    services.approve(request, actor=max_)
    assert (request.state, effects_of(request)) == (State.VOID, 0)
    assert "country" in request.outcome
    assert Event.objects.about(request).filter(verb="approvals.voided").exists()


def test_execution_that_cannot_be_done_fails_and_leaves_no_effect(ann: User, max_: User) -> None:
    request = ask_move(ann, wish="fail")
    services.approve(request, actor=max_)
    assert (request.state, request.outcome) == (State.FAILED, "It cannot be done.")
    assert effects_of(request) == 0


def test_execution_that_does_not_hold_any_more_is_void(ann: User, max_: User) -> None:
    request = ask_move(ann, wish="void")
    services.approve(request, actor=max_)
    assert (request.state, request.outcome) == (State.VOID, "It does not hold any more.")


def test_crash_undoes_the_vote_as_well(ann: User, max_: User) -> None:
    request = ask_move(ann, wish="crash")
    with pytest.raises(RuntimeError):
        services.approve(request, actor=max_)
    assert ApprovalRequest.objects.get().state == State.REQUESTED
    assert not Vote.objects.exists()


def test_who_acts_for_somebody_else_does_not_decide(ann: User, max_: User) -> None:
    request = ask_move(ann)
    with (
        context.in_the_name_of_another(ann.pk),
        pytest.raises(PermissionDenied, match="in the name of somebody else"),
    ):
        services.approve(request, actor=max_)


# delegation


def test_stand_in_decides_with_the_right_of_who_is_away(ann: User, max_: User, nia: User) -> None:
    request = ask_move(ann)
    with pytest.raises(PermissionDenied):
        services.approve(request, actor=nia)
    hand_over(max_, nia)
    assert list(services.waiting_for(nia)) == [request]
    services.approve(request, actor=nia)
    found = Vote.objects.get()
    assert (found.voter, found.seat, request.state) == (nia, max_, State.EXECUTED)
    event = Event.objects.get(verb="approvals.approved", outcome="done")
    assert event.context["in_place_of"] == "max"


def test_stand_in_decides_nothing_before_or_after(ann: User, max_: User, nia: User) -> None:
    request = ask_move(ann)
    hand_over(max_, nia, begin=HOUR)
    with pytest.raises(PermissionDenied):
        services.approve(request, actor=nia)
    ended = hand_over(max_, nia)
    delegations.take_back(ended, actor=max_)
    with pytest.raises(PermissionDenied):
        services.approve(request, actor=nia)


def test_nobody_gains_a_vote_on_the_own_request_by_handing_over(
    max_: User, nia: User, kim: User
) -> None:
    own = ask_move(max_)
    hand_over(max_, nia)
    with pytest.raises(PermissionDenied, match="stand in for somebody who must not"):
        services.approve(own, actor=nia)
    by_stand_in = ask_move(nia)
    with pytest.raises(PermissionDenied, match="own request"):
        services.approve(by_stand_in, actor=nia)
    assert list(services.waiting_for(nia)) == []
    services.approve(own, actor=kim)
    assert own.state == State.EXECUTED


def test_stand_in_of_the_owner_does_not_decide_in_their_place(
    ann: User, max_: User, nia: User
) -> None:
    request = ask_move(ann, owner=max_.pk)
    hand_over(max_, nia)
    with pytest.raises(PermissionDenied):
        services.approve(request, actor=nia)


@pytest.mark.parametrize("first_is_giver", [True, False])
def test_a_person_and_their_stand_in_count_once(
    ann: User,
    max_: User,
    kim: User,
    first_is_giver: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    request = ask_move(ann, 50_001)
    hand_over(max_, kim)
    first, second = (max_, kim) if first_is_giver else (kim, max_)
    services.approve(request, actor=first)
    assert request not in services.waiting_for(second)
    with pytest.raises(PermissionDenied, match="count once"):
        services.approve(request, actor=second)
    assert effects_of(request) == 0


def test_stand_in_does_not_pass_it_on(ann: User, max_: User, nia: User, gus: User) -> None:
    request = ask_move(ann)
    hand_over(max_, nia)
    hand_over(nia, gus)
    with pytest.raises(PermissionDenied):
        services.approve(request, actor=gus)


def test_rule_may_exclude_stand_ins(
    ann: User, max_: User, nia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._rules, KIND, move_rule(delegable=False))
    request = ask_move(ann)
    hand_over(max_, nia)
    assert list(services.waiting_for(nia)) == []
    with pytest.raises(PermissionDenied):
        services.approve(request, actor=nia)


def test_handing_over_is_on_record_and_has_an_end(max_: User, nia: User, sol: User) -> None:
    made = hand_over(max_, nia)
    assert Event.objects.about(made).get().verb == "approvals.handed_over"
    now = timezone.now()
    for stand_in, until, reason in [
        (max_, now + HOUR, "away"),
        (sol, now + HOUR, "away"),
        (nia, now - HOUR, "away"),
        (nia, now + dt.timedelta(days=61), "away"),
        (nia, now + HOUR, " "),
    ]:
        with pytest.raises(ValidationError):
            delegations.hand_over(
                stand_in, starts_at=now - HOUR / 2, until=until, reason=reason, actor=max_
            )
    with pytest.raises(PermissionDenied):
        delegations.take_back(made, actor=nia)


# jobs


@pytest.fixture
def slow(move: Rule, monkeypatch: pytest.MonkeyPatch) -> Rule:
    rule = move_rule(slow=True)
    monkeypatch.setitem(registry._rules, KIND, rule)
    return rule


@pytest.mark.usefixtures("slow")
class TestSlow:
    """A job between the last vote and the effect."""

    def approved(self, maker: User, checker: User, wish: str = "") -> ApprovalRequest:
        request = ask_move(maker, wish=wish)
        services.approve(request, actor=checker)
        assert (request.state, effects_of(request)) == (State.APPROVED, 0)
        return request

    def run(self, times: int = 1) -> None:
        for _ in range(times):
            job = Job.objects.get(kind=services.EXECUTE_JOB)
            Job.objects.filter(pk=job.pk).update(state=Job.State.QUEUED)
            job_run.execute(job.pk)

    def test_job_executes_once_however_often_it_runs(self, ann: User, max_: User) -> None:
        request = self.approved(ann, max_)
        self.run(times=3)
        request.refresh_from_db()
        assert (request.state, effects_of(request)) == (State.EXECUTED, 1)

    def test_change_between_vote_and_job_voids(self, ann: User, max_: User) -> None:
        request = self.approved(ann, max_)
        Customer.objects.filter(pk=request.subject_id).update(country="Peru")
        self.run()
        request.refresh_from_db()
        assert (request.state, effects_of(request)) == (State.VOID, 0)
        assert Job.objects.get(kind=services.EXECUTE_JOB).state == Job.State.FAILED

    def test_right_lost_between_vote_and_job_voids(self, ann: User, gus: User) -> None:
        request = self.approved(ann, allow(gus, RIGHT))
        gus.user_permissions.clear()
        self.run()
        request.refresh_from_db()
        assert (request.state, effects_of(request)) == (State.VOID, 0)

    def test_job_that_crashed_fails_the_request(self, ann: User, max_: User) -> None:
        request = self.approved(ann, max_, wish="crash")
        self.run()
        assert services.fail_stranded() == 1
        request.refresh_from_db()
        assert (request.state, effects_of(request)) == (State.FAILED, 0)

    def test_waiting_job_is_left_alone(self, ann: User, max_: User) -> None:
        self.approved(ann, max_)
        assert services.fail_stranded() == 0


# what the database refuses, whoever writes


def test_database_refuses_a_second_vote_of_a_person_or_seat(
    ann: User, max_: User, kim: User
) -> None:
    request = ask_move(ann, 50_001)
    vote(request, max_, max_, ann)
    for voter, seat in [(max_, max_), (max_, kim), (kim, max_)]:
        with pytest.raises(IntegrityError):
            vote(request, voter, seat, ann)


def test_database_refuses_the_maker_as_voter_or_seat(ann: User, max_: User) -> None:
    request = ask_move(ann)
    for voter, seat in [(ann, ann), (max_, ann), (ann, max_)]:
        with pytest.raises(IntegrityError):
            vote(request, voter, seat, ann)


def test_database_refuses_a_vote_that_names_another_maker(ann: User, max_: User) -> None:
    with pytest.raises(IntegrityError, match="vote_of_another_maker"):
        vote(ask_move(ann), ann, ann, max_)


def test_database_refuses_the_vote_of_somebody_excluded(ann: User, max_: User) -> None:
    with pytest.raises(IntegrityError, match="vote_of_somebody_excluded"):
        vote(ask_move(ann, owner=max_.pk), max_, max_, ann)


def test_database_refuses_to_change_a_vote(ann: User, max_: User, kim: User) -> None:
    made = vote(ask_move(ann), max_, max_, ann)
    with pytest.raises(IntegrityError, match="vote_changed"), transaction.atomic():
        Vote.objects.filter(pk=made.pk).update(voter=kim)


@pytest.mark.parametrize(
    ("values", "guard"),
    [
        ({"state": "approved"}, "approval_without_votes"),
        ({"state": "executed", "executed_at": timezone.now()}, "approval_executed_unapproved"),
        ({"approvers": 1}, "approval_needs_fewer"),
    ],
)
def test_database_refuses_a_decision_without_the_votes(
    ann: User, max_: User, values: dict[str, object], guard: str
) -> None:
    request = ask_move(ann, 50_001)
    vote(request, max_, max_, ann)
    decided = {"decided_by": max_, "decided_at": timezone.now(), **values}
    with pytest.raises(IntegrityError, match=guard), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(**decided)


def test_database_refuses_another_maker_and_a_life_after_the_end(ann: User, max_: User) -> None:
    request = ask_move(ann)
    with pytest.raises(IntegrityError, match="approval_of_another_maker"), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(maker=max_)
    services.approve(request, actor=max_)
    with pytest.raises(IntegrityError, match="approval_after_the_end"), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(state="approved")


def test_database_refuses_a_request_that_begins_decided(ann: User, max_: User) -> None:
    now = timezone.now()
    with pytest.raises(IntegrityError, match="approval_begins_decided"), transaction.atomic():
        ApprovalRequest.objects.create(
            kind=KIND, maker=ann, decided_by=max_, decided_at=now, state="approved", expires_at=now
        )


def test_waiting_asks_as_much_for_three_as_for_one(
    ann: User, max_: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ask_move(ann)
    max_ = User.objects.get(pk=max_.pk)
    list(services.waiting_for(max_))
    ask_move(ann)
    ask_move(ann)
    with django_assert_num_queries(2):
        assert len(services.waiting_for(max_)) == 3
