"""How many people a request needs, by code and by settings; checks of both; canonical form."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals import checks, registry, services
from backoffice.approvals.canonical import digest, plain
from backoffice.approvals.registry import Band, Needs, Rule
from backoffice.audit.services import PersonalValueError
from backoffice.money import Money
from customers.models import Customer
from tests.approvals.rules import HIGHER_RIGHT, KIND, RIGHT, ask_move, move_rule


def pounds(amount: str) -> Money:
    return Money.of(amount, "GBP")


@pytest.mark.parametrize(
    ("amount", "needs"),
    [
        (pounds("500.00"), Needs(1, RIGHT)),
        (pounds("500.01"), Needs(2, RIGHT)),
        (pounds("1000.00"), Needs(2, RIGHT)),
        (pounds("1000.01"), Needs(2, HIGHER_RIGHT)),
        (Money.of("1", "EUR"), Needs(2, HIGHER_RIGHT)),
        (None, Needs(2, HIGHER_RIGHT)),
    ],
)
def test_needs_follow_amount_and_currency(amount: Money | None, needs: Needs) -> None:
    assert move_rule().needs_for(amount) == needs


def test_rule_without_bands_needs_the_same_for_any_amount() -> None:
    assert move_rule(bands=()).needs_for(pounds("9999")) == Needs(1, RIGHT)


def test_settings_change_the_numbers_of_a_rule(move: Rule, settings: Settings) -> None:
    settings.BACKOFFICE_APPROVALS = {
        KIND: {
            "approvers": 2,
            "bands": [{"above": "10.00 GBP", "approvers": 3, "permission": HIGHER_RIGHT}],
            "expires_hours": 5,
            "step_up": False,
        }
    }
    rule = registry.rule(KIND)
    assert rule.needs_for(pounds("10.00")) == Needs(2, RIGHT)
    assert rule.needs_for(pounds("10.01")) == Needs(3, HIGHER_RIGHT)
    assert (rule.expires.total_seconds(), rule.step_up) == (5 * 3600, False)
    assert checks.check_rules(None) == []


def test_settings_that_ask_for_more_hold_for_open_requests(
    move: Rule, settings: Settings, ann: User, max_: User
) -> None:
    request = ask_move(ann)
    settings.BACKOFFICE_APPROVALS = {KIND: {"approvers": 2}}
    services.approve(request, actor=max_)
    assert request.state == "requested"


def test_settings_that_ask_for_less_do_not_lower_open_requests(
    move: Rule, settings: Settings, ann: User, max_: User
) -> None:
    request = ask_move(ann, 50_001)
    settings.BACKOFFICE_APPROVALS = {KIND: {"bands": []}}
    services.approve(request, actor=max_)
    assert request.state == "requested"


@pytest.mark.parametrize(
    ("overrides", "check"),
    [
        ({"tests.nothing": {}}, "backoffice.E021"),
        ({KIND: {"approver": 2}}, "backoffice.E022"),
        ({KIND: {"approvers": "2"}}, "backoffice.E022"),
        ({KIND: {"step_up": 1}}, "backoffice.E022"),
        ({KIND: {"permission": "approve"}}, "backoffice.E022"),
        ({KIND: {"bands": [{"above": "ten GBP"}]}}, "backoffice.E022"),
        ({KIND: {"bands": [{"above": "1 GBP", "people": 2}]}}, "backoffice.E022"),
        ({KIND: {"permission": "payments.no_such_right"}}, "backoffice.E023"),
        ({KIND: {"approvers": 0, "bands": []}}, "backoffice.E024"),
        ({KIND: {"bands": [{"above": "1 GBP"}, {"above": "1.00 GBP"}]}}, "backoffice.E025"),
    ],
)
def test_check_names_settings_that_mean_nothing(
    move: Rule, settings: Settings, overrides: dict[str, Any], check: str
) -> None:
    settings.BACKOFFICE_APPROVALS = overrides
    assert [message.id for message in checks.check_rules(None)] == [check]


def test_check_names_a_rule_that_nobody_could_fulfil(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = move_rule(permission="payments.aprove", bands=(Band(pounds("1"), approvers=0),))
    monkeypatch.setitem(registry._rules, KIND, rule)
    found = {message.id for message in checks.check_rules(None)}
    assert found == {"backoffice.E023", "backoffice.E024"}


def test_rules_of_the_project_pass_the_check() -> None:
    assert checks.check_rules(None) == []


def test_same_facts_have_the_same_hash_in_any_order() -> None:
    assert digest({"a": 1, "b": [Decimal("1.50")]}) == digest({"b": ("1.50",), "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})


@pytest.mark.parametrize("value", [1.5, object(), b"x"])
def test_values_without_a_canonical_form_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        plain({"value": value})


def test_personal_value_has_no_place_in_a_request(move: Rule, ann: User) -> None:
    customer = Customer.objects.create(number="7", name="Anna Keller")
    with pytest.raises(PersonalValueError):
        services.ask(
            KIND,
            subject=customer,
            payload={"name": Customer.objects.get().name},
            summary="Rename",
            reason="typo",
            actor=ann,
        )


def test_page_shows_the_rules_in_force_and_what_settings_changed(
    move: Rule, settings: Settings, gus: User
) -> None:
    settings.BACKOFFICE_APPROVALS = {KIND: {"expires_hours": 5}}
    client = Client()
    client.force_login(gus)
    page = client.get("/admin/approvals/rules/").content.decode()
    for text in (
        "Move a customer",
        "more than £500.00",
        "2 people",
        "whoever asked, the owner",
        "5 hours",
        "changed by settings: expires_hours",
        "Finance, Owner",
    ):
        assert text in page
