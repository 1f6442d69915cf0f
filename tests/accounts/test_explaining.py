"""The page "Why can they see this?" and what stands behind it."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.utils import timezone

from backoffice.accounts import tokens
from backoffice.accounts.models import Kind, User
from backoffice.accounts.tokens import Wish
from backoffice.audit.models import Event
from backoffice.masking import services as masking
from backoffice.masking.models import Grant
from backoffice.policy import Explanation, Pass, explain, may, registry
from backoffice.policy.services import EXPLAINED, look_up
from customers.models import Customer
from tests.clients import signed_in
from tests.people import make_person

WHY = "/admin/why/"


@pytest.fixture
def customer(db: None) -> Customer:
    customer = Customer(number="17850", country="Iceland", email="asked.about@example.com")
    customer.save()
    return customer


def ask(reader: User, **query: str) -> Any:
    """Return the answer that the page shows to `reader`, None without one."""
    asked = {"kind": "customers.customer", "record": "17850", "action": "view", **query}
    response = signed_in(reader).get(WHY, asked)
    assert response.status_code == 200
    return response.context.get("answer")


def told(found: Explanation) -> dict[str, bool]:
    return {one.rule.name: one.holds for one in found.findings}


def test_every_rule_is_told_in_order_and_one_decides(customer: Customer, eve: User) -> None:
    found = explain(eve, "reveal", customer, "email")
    assert told(found) == {
        "active": True,
        "kept": True,
        "acting": True,
        "role": False,
        "grant": False,
        "denial": True,
        "scope": True,
    }
    assert (found.decided_by.rule.name, found.masked) == ("role", True)
    assert found.decision == may(eve, "reveal", customer, "email")


def test_role_is_named_and_what_was_given_alone(customer: Customer, ann: User) -> None:
    viewing, revealing = explain(ann, "view", customer), explain(ann, "reveal", customer)
    assert (viewing.roles, viewing.directly) == (("support",), False)
    assert (revealing.roles, revealing.directly) == ((), True)


def test_grant_is_told_with_its_giver_and_its_end(customer: Customer, eve: User, kim: User) -> None:
    grant = masking.give_grant(customer, user=eve, actor=kim, reason="a call", minutes=30)
    found = explain(eve, "reveal", customer, "email")
    assert found.decided_by.facts == {"giver": str(kim), "until": grant.expires_at}
    Grant.objects.update(
        starts_at=timezone.now() - dt.timedelta(hours=1),
        expires_at=timezone.now() - dt.timedelta(minutes=1),
    )
    assert told(explain(eve, "reveal", customer))["grant"] is False


def test_denial_decides_over_a_role_and_a_superuser(
    customer: Customer, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_user: object, _right: str, rows: Sequence[Model]) -> dict[Any, str]:
        return {row.pk: "not this one" for row in rows}

    monkeypatch.setattr(registry, "denials", [*registry.denials, refuse])
    root = User.objects.create_superuser("root", password="x")
    for person in (eve, root):
        found = explain(person, "view", customer)
        assert (found.decided_by.rule.name, told(found)["role"]) == ("denial", True)
        assert found.decision == may(person, "view", customer)


def test_blocked_account_decides_over_all(customer: Customer, eve: User) -> None:
    eve.is_active = False
    assert explain(eve, "view", customer).decided_by.rule.name == "active"


def test_program_is_refused_what_is_kept_for_people(customer: Customer) -> None:
    robot = make_person("robot", "support")
    User.objects.filter(pk=robot.pk).update(kind=Kind.SERVICE)
    robot = User.objects.get(pk=robot.pk)
    assert explain(robot, "reveal", customer).decided_by.rule.name == "kept"
    assert explain(robot, "view", customer).decision.allowed


def test_seller_has_no_such_record(customer: Customer, sol: User) -> None:
    found = explain(sol, "view", customer)
    assert (found.site, told(found)["scope"]) == ("seller", False)


def test_token_is_a_rule_of_its_own(customer: Customer, eve: User) -> None:
    short = Pass("customers:write", ["customers:read"])
    found = explain(eve, "change", customer, token=short)
    assert (found.decision.allowed, found.decided_by.rule.name) == (False, "token")
    wide = Pass("customers:write", ["customers:write"])
    assert explain(eve, "change", customer, token=wide).decision.allowed


def test_look_up_needs_the_right_and_is_on_the_record(
    customer: Customer, eve: User, pia: User
) -> None:
    with pytest.raises(PermissionDenied):
        look_up(eve, "view", customer, actor=eve)
    look_up(eve, "reveal", customer, actor=pia, field="email")
    event = Event.objects.get(verb=EXPLAINED)
    assert (event.actor, event.subject_id) == (pia, str(customer.pk))
    assert event.context == {
        "user": eve.pk,
        "permission": "customers.reveal_customer",
        "site": "admin",
        "allowed": False,
        "by": "role",
        "field": "email",
    }


@pytest.mark.parametrize("who", ["pia", "ada", "kim"])
def test_overseers_open_the_page(who: str, request: pytest.FixtureRequest) -> None:
    assert signed_in(request.getfixturevalue(who)).get(WHY).status_code == 200


@pytest.mark.parametrize("who", ["eve", "max_", "oli", "nia", "gus"])
def test_others_do_not_open_the_page(who: str, request: pytest.FixtureRequest) -> None:
    client = signed_in(request.getfixturevalue(who))
    assert client.get(WHY).status_code == 403


def test_page_answers_yes_and_no_and_shows_no_value(
    customer: Customer, eve: User, pia: User
) -> None:
    yes = ask(pia, person="eve", field="email")
    assert (yes["found"].decision.allowed, yes["notes"]) == (
        True,
        ["This field is masked: whoever sees the record sees a mask."],
    )
    assert [line.name for line in yes["lines"] if line.decides] == ["Role"]
    assert ask(pia, person="eve", action="reveal")["found"].decision.allowed is False
    offered = [ask(pia, person="eve", action=what)["reveal_url"] for what in ("view", "reveal")]
    assert [bool(url) for url in offered] == [True, False]
    query = {"kind": "customers.customer", "record": "17850", "action": "view", "person": "eve"}
    assert "asked.about" not in signed_in(pia).get(WHY, query).text


def test_page_answers_for_the_api(customer: Customer, eve: User, pia: User) -> None:
    token = tokens.make(eve, Wish("own", ["customers:read"], 1), actor=eve, reason="x").token
    query = {"person": "eve", "where": "api", "token": token.prefix}
    assert ask(pia, **query)["found"].decision.allowed is True
    refused = ask(pia, action="change", **query)["found"]
    assert (refused.decided_by.rule.name, refused.decided_by.facts) == (
        "token",
        {"needed": "customers:write"},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("person", "nobody-of-ours"),
        ("record", "99999"),
        ("field", "fone"),
        ("action", "auth.add_user"),
        ("kind", "auth.group"),
        ("token", "bbbb"),
    ],
)
def test_page_says_what_there_is_not(
    name: str, value: str, customer: Customer, eve: User, pia: User
) -> None:
    assert ask(pia, **{"person": "eve", "where": "api", name: value}) is None
    assert not Event.objects.filter(verb=EXPLAINED).exists()


def test_record_and_person_lead_to_the_page(customer: Customer, eve: User, pia: User) -> None:
    client = signed_in(pia)
    link = "/admin/why/?kind=customers.customer&amp;record=17850"
    assert link in client.get(f"/admin/customers/customer/{customer.pk}/change/").text
    assert "/admin/why/?person=eve" in client.get(f"/admin/accounts/user/{eve.pk}/change/").text
    assert WHY in client.get("/admin/who-may-do-what/").text
    page = signed_in(eve).get(f"/admin/customers/customer/{customer.pk}/change/").text
    assert WHY not in page
