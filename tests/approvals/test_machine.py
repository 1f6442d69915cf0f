"""Whatever people do in whatever order: nothing runs that the rule does not allow, or twice.

A machine asks, edits, votes, hands over, takes rights away, lets time pass and clicks again, and
compares what ran with a model of its own that knows nothing of the services' code.
`make fuzz-approvals EXAMPLES=2000` runs it longer; the seed is fixed. On PostgreSQL the first of
the same examples show that the services' statements run there; what they decide is Python's on
both.
"""

import datetime as dt
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backoffice.accounts.models import User
from backoffice.approvals import delegations, registry, services
from backoffice.approvals.models import ApprovalRequest, Delegation
from backoffice.jobs import run as job_run
from backoffice.jobs.models import Job
from customers.models import Customer
from tests.approvals.rules import (
    HIGHER_RIGHT,
    KIND,
    RIGHT,
    ask_move,
    effects_of,
    move_rule,
)
from tests.people import allow

EXAMPLES = int(os.environ.get("APPROVAL_EXAMPLES", "15" if connection.vendor == "sqlite" else "5"))
STEPS = 30
# Refusals of the services: what they are for.
REFUSALS = (PermissionDenied, ValidationError)

people = strategies.integers(0, 5)
requests = strategies.integers(0, 3)
amounts = strategies.sampled_from([100, 50_000, 50_001, 100_001])
currencies = strategies.sampled_from(["GBP", "GBP", "EUR"])


@dataclass
class Asked:
    """What the model knows of one request."""

    request: ApprovalRequest
    maker: int
    minor: int
    currency: str
    owner: int | None
    changed: bool = False
    expired: bool = False
    closed: bool = False
    judged: bool = False
    # seat -> voter, of the approvals that the services took
    approved: dict[int, int] = field(default_factory=dict)

    @property
    def needs(self) -> tuple[int, str]:
        """How many, with which right; as docs say, written down a second time."""
        if self.currency != "GBP" or self.minor > 100_000:
            return 2, HIGHER_RIGHT
        return (2, RIGHT) if self.minor > 50_000 else (1, RIGHT)


class Office(RuleBasedStateMachine):
    """Six people, some with rights, up to four requests."""

    slow = False

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        registry._rules[KIND] = move_rule(slow=self.slow)
        self.people: list[User] = []
        self.asked: list[Asked] = []
        self.away: set[tuple[int, int]] = set()
        self.hire()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)
        registry._rules.pop(KIND, None)

    def hire(self) -> None:
        """Three with both rights, one with the lower, one with none, and a superuser."""
        for number in range(6):
            user = User.objects.create_user(f"p{number}", is_staff=True)
            if number < 4:
                allow(user, RIGHT)
            if number < 3:
                allow(user, HIGHER_RIGHT)
            if number == 5:
                user.is_superuser = True
                user.save()
            self.people.append(user)

    def person(self, number: int) -> User:
        """Return the person freshly read: permissions are cached on the object."""
        return User.objects.get(pk=self.people[number].pk)

    def has(self, number: int, right: str) -> bool:
        """Say by the database whether the person holds the right."""
        user = User.objects.get(pk=self.people[number].pk)
        if not user.is_active:
            return False
        app, name = right.split(".")
        held = Permission.objects.filter(user=user, codename=name, content_type__app_label=app)
        return user.is_superuser or held.exists()

    @initialize(
        first=strategies.tuples(people, amounts, currencies),
        second=strategies.tuples(people, amounts, currencies),
    )
    def begin(self, first: tuple[int, int, str], second: tuple[int, int, str]) -> None:
        """Begin with two requests, so that there is something to click on."""
        for maker, minor, currency in (first, second):
            self.ask(maker, minor, currency, None)

    @precondition(lambda self: len(self.asked) < 4)
    @rule(
        maker=people,
        minor=amounts,
        currency=currencies,
        owner=strategies.one_of(strategies.none(), people),
    )
    def ask(self, maker: int, minor: int, currency: str, owner: int | None) -> None:
        key = None if owner is None else self.people[owner].pk
        request = ask_move(self.person(maker), minor, currency, owner=key)
        self.asked.append(Asked(request, maker, minor, currency, owner))

    def pick(self, number: int) -> Asked | None:
        return self.asked[number % len(self.asked)] if self.asked else None

    @rule(who=people, which=requests)
    def click_approve(self, who: int, which: int) -> None:
        asked = self.pick(which)
        if asked is None:
            return
        before = set(asked.request.votes.values_list("voter_id", flat=True))
        stale = ApprovalRequest.objects.get(pk=asked.request.pk)
        try:
            services.approve(stale, actor=self.person(who))
        except REFUSALS:
            return
        for vote in asked.request.votes.exclude(voter_id__in=before):
            keys = [person.pk for person in self.people]
            seat, voter = keys.index(vote.seat_id), keys.index(vote.voter_id)
            asked.approved[seat] = voter
            assert voter == who
            assert seat == who or (seat, who) in self.away, "a seat that nobody handed over"

    @rule(order=strategies.permutations(range(6)), which=requests)
    def meet(self, order: list[int], which: int) -> None:
        """Everybody clicks, one after another."""
        for who in order[:4]:
            self.click_approve(who, which)

    @rule(who=people, which=requests)
    def click_reject(self, who: int, which: int) -> None:
        asked = self.pick(which)
        if asked is None:
            return
        stale = ApprovalRequest.objects.get(pk=asked.request.pk)
        try:
            services.reject(stale, actor=self.person(who), comment="no")
        except REFUSALS:
            return
        asked.closed = True

    @rule(who=people, which=requests)
    def withdraw(self, who: int, which: int) -> None:
        asked = self.pick(which)
        if asked is None:
            return
        try:
            services.withdraw(asked.request, actor=self.person(who))
        except REFUSALS:
            return
        asked.closed = True

    @rule(which=requests)
    def edit_payload(self, which: int) -> None:
        asked = self.pick(which)
        if asked is not None and not effects_of(asked.request):
            payload = {**asked.request.payload, "amount_minor": 1, "owner": None}
            ApprovalRequest.objects.filter(pk=asked.request.pk).update(payload=payload)
            asked.changed = True

    @rule(which=requests)
    def edit_record(self, which: int) -> None:
        asked = self.pick(which)
        if asked is not None and not effects_of(asked.request):
            Customer.objects.filter(pk=asked.request.subject_id).update(country="Peru")
            asked.changed = True

    @rule(which=requests)
    def let_time_pass(self, which: int) -> None:
        asked = self.pick(which)
        if asked is not None and asked.request.pk:
            open_ones = ApprovalRequest.objects.filter(pk=asked.request.pk, state="requested")
            if open_ones.update(expires_at=timezone.now() - dt.timedelta(seconds=1)):
                asked.expired = True

    @rule()
    def clean_up(self) -> None:
        services.expire_old()
        services.fail_stranded()

    @rule(giver=people, stand_in=people)
    def hand_over(self, giver: int, stand_in: int) -> None:
        now = timezone.now()
        try:
            delegations.hand_over(
                self.person(stand_in),
                starts_at=now - dt.timedelta(minutes=1),
                until=now + dt.timedelta(days=1),
                reason="away",
                actor=self.person(giver),
            )
        except REFUSALS:
            return
        self.away.add((giver, stand_in))

    @rule()
    def come_back(self) -> None:
        Delegation.objects.filter(ended_at=None).update(ended_at=timezone.now())
        self.away.clear()

    @rule(who=people)
    def lose_rights(self, who: int) -> None:
        self.person(who).user_permissions.clear()

    @rule(who=people)
    def lose_rights_before_the_job(self, who: int) -> None:
        """Take the rights away between the last vote and the effect."""
        self.lose_rights(who)
        self.run_jobs()

    @rule(who=people)
    def gain_rights(self, who: int) -> None:
        allow(allow(self.person(who), RIGHT), HIGHER_RIGHT)

    @rule(who=people)
    def leave(self, who: int) -> None:
        user = self.people[who]
        User.objects.filter(pk=user.pk).update(is_active=not self.person(who).is_active)

    @rule(which=requests)
    def execute_anyway(self, which: int) -> None:
        """Call what the job calls, at any moment."""
        asked = self.pick(which)
        if asked is not None:
            services.execute(ApprovalRequest.objects.get(pk=asked.request.pk))

    @rule()
    def run_jobs(self) -> None:
        for job in Job.objects.filter(kind=services.EXECUTE_JOB):
            job_run.execute(job.pk)

    @invariant()
    def nothing_ran_that_should_not(self) -> None:
        for asked in self.asked:
            times = effects_of(asked.request)
            assert times <= 1, "it ran twice"
            if times and not asked.judged:
                self.judge(asked)
                asked.judged = True

    def judge(self, asked: Asked) -> None:
        """Say whether the request that just ran was allowed to: rights are as when it ran."""
        count, right = asked.needs
        assert not asked.changed, "it ran although it or its record was changed"
        assert not asked.closed, "it ran although it was rejected or taken back"
        assert not asked.expired, "it ran although it had run out of time"
        seats, voters = set(asked.approved), set(asked.approved.values())
        assert asked.maker not in seats | voters, "the maker took part"
        assert asked.owner is None or asked.owner not in seats | voters, "the owner took part"
        good = [seat for seat in seats if self.has(seat, right) and self.is_active(asked, seat)]
        assert len(good) >= count, "too few with the right"
        assert len({asked.approved[seat] for seat in good}) >= count, "one person in two seats"

    def is_active(self, asked: Asked, seat: int) -> bool:
        """Say whether who voted in the seat still works here."""
        return self.person(asked.approved[seat]).is_active

    @invariant()
    def states_agree_with_effects(self) -> None:
        for asked in self.asked:
            state = ApprovalRequest.objects.values_list("state", flat=True).get(pk=asked.request.pk)
            assert (state == "executed") == (effects_of(asked.request) == 1), state


class SlowOffice(Office):
    """The same with a job between the last vote and the effect."""

    slow = True


@pytest.mark.django_db
@pytest.mark.parametrize("machine", [Office, SlowOffice])
def test_no_sequence_of_clicks_executes_what_the_rule_forbids_or_twice(machine: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
