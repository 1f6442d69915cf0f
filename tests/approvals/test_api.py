"""Approvals through the API: no way round the rules."""

import json
from typing import Any

import pytest
from django.test import Client

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from tests.approvals.rules import ask_move, effects_of
from tests.people import allow, make_person

APPROVALS = "/api/v1/approvals/"
State = ApprovalRequest.State
pytestmark = pytest.mark.usefixtures("move")


def post(user: User, request: ApprovalRequest, verb: str, **body: str) -> tuple[int, Any]:
    client = Client()
    client.force_login(user)
    where = f"{APPROVALS}{request.pk}/{verb}/"
    answer = client.post(where, json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()


def test_two_people_approve_and_the_second_executes(ann: User, max_: User, kim: User) -> None:
    request = ask_move(ann, 50_001)
    status, body = post(max_, request, "approve", comment="seen")
    assert (status, body["state"], body["votes"], body["approvers"]) == (200, "requested", 1, 2)
    assert post(max_, request, "approve")[0] == 403
    status, body = post(kim, request, "approve")
    assert (status, body["state"], effects_of(request)) == (200, "executed", 1)


def test_maker_is_refused_even_as_superuser(db: None) -> None:
    root = make_person("root")
    root.is_superuser = True
    root.save()
    request = ask_move(root)
    for verb in ("approve", "reject"):
        status, body = post(root, request, verb, comment="mine")
        assert (status, "own request" in body["detail"]) == (403, True)
    assert ApprovalRequest.objects.get().state == State.REQUESTED


def test_who_may_look_but_not_decide_is_refused(ann: User, ada: User) -> None:
    request = ask_move(ann)
    assert post(ada, request, "approve")[0] == 403
    assert effects_of(request) == 0


def test_who_may_not_look_is_refused(ann: User, nia: User, sol: User) -> None:
    request = ask_move(ann)
    for user in (nia, sol, ann):
        assert post(user, request, "approve")[0] in {403, 404}


def test_decided_request_is_refused_in_words(ann: User, max_: User, kim: User) -> None:
    request = ask_move(ann)
    assert post(max_, request, "reject", comment="No")[0] == 200
    status, body = post(kim, request, "approve")
    assert status == 400
    assert "rejected it" in json.dumps(body)


def test_rejection_needs_a_comment(ann: User, max_: User) -> None:
    assert post(max_, ask_move(ann), "reject")[0] == 400


def test_old_proof_is_refused(ann: User, max_: User) -> None:
    request, client = ask_move(ann), Client()
    client.force_login(max_)
    session = client.session
    session["stepup_at"] = 0
    session.save()
    where = f"{APPROVALS}{request.pk}/approve/"
    answer = client.post(where, "{}", content_type="application/json")
    assert (answer.status_code, effects_of(request)) == (403, 0)


def test_right_to_decide_without_the_right_to_look_is_not_enough(ann: User, nia: User) -> None:
    request = ask_move(ann)
    assert post(allow(nia, "payments.approve_refund"), request, "approve")[0] == 403
