"""Correcting customers: who may, what is written, what is refused."""

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from customers.models import Customer
from customers.services import edit_customer
from tests.factories import make_customer
from tests.people import allow


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer(name="Anna Almeida", phone="+351 210 555 0111", country="Portugal")


def changes_of(customer: Customer) -> list[Event]:
    return list(Event.objects.filter(verb="record.changed", subject_id=str(customer.pk)))


def test_edit_returns_the_fresh_row_with_history(eve: User, customer: Customer) -> None:
    kept = edit_customer(customer, changes={"country": "Spain"}, actor=eve, reason="Moved")
    history = kept.history.latest()
    assert (kept.country, history.country) == ("Spain", "Spain")
    assert (history.history_user, history.history_change_reason) == (eve, "Moved")
    assert [(event.actor, event.reason) for event in changes_of(customer)] == [(eve, "Moved")]


def test_edit_works_on_the_row_as_it_is_now(eve: User, customer: Customer) -> None:
    Customer.objects.filter(pk=customer.pk).update(country="Italy")
    kept = edit_customer(customer, changes={"name": "Anna Costa"}, actor=eve, reason="Married")
    assert kept.country == "Italy"


def test_edit_without_the_right_is_refused(max_: User, customer: Customer) -> None:
    with pytest.raises(PermissionDenied):
        edit_customer(customer, changes={"country": "Spain"}, actor=max_)
    assert changes_of(customer) == []


@pytest.mark.parametrize("changes", [{"number": "7"}, {"email": "no address"}, {"phone": "•• 11"}])
def test_edit_with_a_wrong_value_writes_nothing(
    eve: User, customer: Customer, changes: dict[str, str]
) -> None:
    with pytest.raises(ValidationError) as caught:
        edit_customer(customer, changes=changes, actor=eve)
    assert list(caught.value.message_dict) == list(changes)
    assert changes_of(customer) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Anna Costa"},
        {"email": "a@example.org"},
        {"phone": "+351 210 555 0112"},
        {"born": "1990-12-31"},
        {"address": "1 Mill Lane"},
        {"bank_account": "GB33BUKB20201555555555"},
        {"address": "1 Mill Lane", "country": "Spain"},
    ],
)
@pytest.mark.parametrize("reason", ["", "  "])
def test_personal_value_is_not_changed_without_a_reason(
    eve: User, customer: Customer, changes: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        edit_customer(customer, changes=changes, actor=eve, reason=reason)
    assert list(caught.value.message_dict) == ["reason"]
    assert (changes_of(customer), customer.history.count()) == ([], 1)


def test_one_person_edits_one_customer_a_few_times_an_hour(
    eve: User, kim: User, customer: Customer, settings: Settings
) -> None:
    """Who types guesses would read in the history which of them was right."""
    settings.BACKOFFICE_PERSONAL_EDITS_PER_HOUR = 2
    other = make_customer(number="99999", name="Anna Almeida")
    typed: dict[str, Any] = {"changes": {"name": "Anna Almeida"}, "reason": "Wrote in"}
    for _turn in range(2):
        edit_customer(customer, actor=eve, **typed)
    with pytest.raises(ValidationError, match="2 times within an hour"):
        edit_customer(customer, actor=eve, **typed)
    edit_customer(other, actor=eve, **typed)
    allow(kim, "customers.change_customer")
    edit_customer(customer, actor=kim, **typed)
    customer.history.filter(history_user=eve).update(
        history_date=timezone.now() - dt.timedelta(minutes=61)
    )
    edit_customer(customer, actor=eve, **typed)


def test_country_needs_no_reason(eve: User, customer: Customer) -> None:
    assert edit_customer(customer, changes={"country": "Spain"}, actor=eve).country == "Spain"


def test_edit_with_the_present_mask_changes_nothing(eve: User, customer: Customer) -> None:
    shown = str(Customer.objects.get(pk=customer.pk).phone)
    edit_customer(customer, changes={"phone": shown}, actor=eve)
    assert (changes_of(customer), customer.history.count()) == ([], 1)
