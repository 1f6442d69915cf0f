"""The inbox: decisions in the row, by somebody else, with fresh proof."""

import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backoffice.accounts.models import User
from backoffice.approvals import registry, services
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event
from customers.models import Customer
from tests.clients import data, signed_in
from tests.people import PASSWORD

INBOX = "/admin/approvals/"
State = ApprovalRequest.State


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def rule(done: list[str], monkeypatch: pytest.MonkeyPatch) -> registry.Rule:
    """A kind of request that finance and the owner decide."""
    made = registry.Rule(
        "tests.move",
        "Move a customer",
        "approvals.view_approvalrequest",
        execute=lambda request: done.append(request.summary),
        on_reject=lambda _request: done.append("rejected"),
    )
    monkeypatch.setattr(registry, "_rules", {**registry._rules, made.kind: made})
    return made


def ask(maker: User, number: str = "12437") -> ApprovalRequest:
    customer, _made = Customer.objects.get_or_create(number=number)
    return services.ask(
        "tests.move",
        subject=customer,
        payload={"to": "Spain"},
        summary=f"Move customer {number}",
        reason="Asked by phone",
        actor=maker,
    )


def state(request: ApprovalRequest) -> str:
    return str(ApprovalRequest.objects.get(pk=request.pk).state)


@pytest.mark.usefixtures("rule")
class TestInbox:
    """One rule, two people."""

    def test_second_person_approves_in_the_row(
        self, eve: User, max_: User, done: list[str]
    ) -> None:
        request = ask(eve)
        client = signed_in(max_)
        assert f"{INBOX}{request.pk}/approve/" in client.get(INBOX).content.decode()
        answer = client.post(f"{INBOX}{request.pk}/approve/", {"comment": "Checked"})
        assert answer["Location"] == INBOX
        assert (state(request), done) == (State.EXECUTED, ["Move customer 12437"])

    def test_maker_sees_no_button_and_is_refused(self, max_: User, done: list[str]) -> None:
        request = ask(max_)
        client = signed_in(max_)
        page = client.get(INBOX).content.decode()
        assert "Your own request" in page
        assert f"{INBOX}{request.pk}/approve/" not in page
        for verb in ("approve", "reject"):
            answer = client.post(f"{INBOX}{request.pk}/{verb}/", {"comment": "Mine"})
            assert answer.status_code == 403
        assert (state(request), done) == (State.REQUESTED, [])
        refused = Event.objects.about(request).filter(outcome="refused", actor=max_)
        assert refused.count() == 2

    def test_superuser_does_not_decide_their_own(self, max_: User) -> None:
        User.objects.filter(pk=max_.pk).update(is_superuser=True)
        request = ask(max_)
        answer = signed_in(max_).post(f"{INBOX}{request.pk}/approve/", {"comment": ""})
        assert (answer.status_code, state(request)) == (403, State.REQUESTED)

    def test_somebody_without_the_right_does_not_even_see_it(
        self, eve: User, oli: User, done: list[str]
    ) -> None:
        request = ask(eve)
        client = signed_in(oli)
        assert "Move customer" not in client.get(INBOX).content.decode()
        answer = client.post(f"{INBOX}{request.pk}/approve/", {"comment": ""})
        assert (answer.status_code, state(request), done) == (404, State.REQUESTED, [])

    def test_get_decides_nothing(self, eve: User, max_: User) -> None:
        request = ask(eve)
        page = signed_in(max_).get(f"{INBOX}{request.pk}/approve/").content.decode()
        assert "Asked by phone" in page
        assert state(request) == State.REQUESTED

    def test_reject_needs_a_comment(self, eve: User, max_: User, done: list[str]) -> None:
        request = ask(eve)
        client = signed_in(max_)
        assert client.post(f"{INBOX}{request.pk}/reject/", {"comment": ""}).status_code == 400
        client.post(f"{INBOX}{request.pk}/reject/", {"comment": "Not for us"})
        assert (state(request), done) == (State.REJECTED, ["rejected"])

    def test_second_decision_is_refused(self, eve: User, max_: User, kim: User) -> None:
        request = ask(eve)
        signed_in(max_).post(f"{INBOX}{request.pk}/reject/", {"comment": "Not for us"})
        answer = signed_in(kim).post(f"{INBOX}{request.pk}/approve/", {"comment": ""})
        assert (answer.status_code, state(request)) == (409, State.REJECTED)
        assert "Max rejected it" in answer.content.decode()

    def test_old_proof_asks_for_the_password(self, eve: User, max_: User) -> None:
        request = ask(eve)
        client = signed_in(max_)
        session: Any = client.session
        session["stepup_at"] = time.time() - 3600
        session.save()
        where = f"{INBOX}{request.pk}/approve/"
        assert client.post(where, {"comment": ""}).status_code == 400
        assert state(request) == State.REQUESTED
        client.post(where, {"comment": "", "step_up_proof": PASSWORD})
        assert state(request) == State.EXECUTED

    def test_post_without_a_csrf_token_is_refused(self, eve: User, max_: User) -> None:
        request = ask(eve)
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(max_)
        answer = browser.post(f"{INBOX}{request.pk}/approve/", {"comment": ""})
        assert (answer.status_code, state(request)) == (403, State.REQUESTED)

    def test_maker_takes_it_back(self, eve: User, max_: User) -> None:
        request = ask(eve)
        where = f"{INBOX}{request.pk}/withdraw/"
        assert signed_in(max_).post(where).status_code == 403
        signed_in(eve).post(where)
        assert state(request) == State.WITHDRAWN

    def test_sidebar_counts_what_waits_for_the_person(self, eve: User, max_: User) -> None:
        ask(eve)
        ask(max_, "2")
        links = [
            link for group in data(signed_in(max_).get(INBOX))["navigation"] for link in group.links
        ]
        counts = {link.url: (link.count, link.tone) for link in links}
        assert counts[INBOX] == (1, "wait")

    def test_three_requests_ask_as_much_as_one(self, eve: User, max_: User) -> None:
        client = signed_in(max_)
        ask(eve)
        with CaptureQueriesContext(connection) as one:
            client.get(INBOX)
        ask(eve, "2")
        ask(eve, "3")
        with CaptureQueriesContext(connection) as three:
            client.get(INBOX)
        assert len(three) == len(one)
