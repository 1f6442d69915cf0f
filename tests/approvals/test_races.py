"""Real processes that decide at the same moment: one execution, whatever the database."""

from contextlib import ExitStack

import pytest

from backoffice.accounts.models import User
from backoffice.approvals import services
from backoffice.approvals.models import ApprovalRequest, Vote
from backoffice.approvals.registry import Rule
from backoffice.audit.models import Event
from tests.approvals.rules import RIGHT, ask_move, effects_of
from tests.people import allow, make_person
from tests.processes import python

pytestmark = pytest.mark.django_db(transaction=True)
CHILD = ("-m", "tests.approvals.child")


def race(*calls: tuple[object, ...]) -> list[str]:
    """Let one process for each call act at the same moment; return what they say."""
    with ExitStack() as stack:
        children = [
            stack.enter_context(python(*CHILD, *(str(part) for part in call))) for call in calls
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        return [child.stdout.readline().strip() for child in children if child.stdout]


def approvers(count: int) -> list[User]:
    """Return so many people with the right."""
    return [allow(make_person(f"approver{number}"), RIGHT) for number in range(count)]


def test_four_approvers_at_once_execute_once(move: Rule, ann: User) -> None:
    request = ask_move(ann)
    said = race(*[("approve", request.pk, user.pk) for user in approvers(4)])
    assert sorted(said) == ["AlreadyDecidedError"] * 3 + ["executed"]
    assert (effects_of(request), Vote.objects.count()) == (1, 1)
    assert Event.objects.filter(verb="approvals.executed").count() == 1


def test_two_of_two_at_once_both_count_and_execute_once(move: Rule, ann: User) -> None:
    request = ask_move(ann, 50_001)
    said = race(*[("approve", request.pk, user.pk) for user in approvers(2)])
    assert sorted(said) == ["executed", "requested"]
    assert (effects_of(request), Vote.objects.count()) == (1, 2)


def test_one_person_in_three_tabs_counts_once(move: Rule, ann: User) -> None:
    request, (user, *_others) = ask_move(ann, 50_001), approvers(1)
    race(*[("approve", request.pk, user.pk)] * 3)
    assert (effects_of(request), Vote.objects.count()) == (0, 1)
    assert ApprovalRequest.objects.get().state == "requested"


def test_two_workers_with_one_job_execute_once(
    move: Rule, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, (user, *_others) = ask_move(ann), approvers(1)
    monkeypatch.setattr(services, "_start", lambda *_args, **_values: None)  # no worker yet
    services.approve(request, actor=user)
    assert race(("execute", request.pk), ("execute", request.pk)).count("executed") >= 1
    assert effects_of(request) == 1
