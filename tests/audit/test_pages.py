"""The page Activity: for auditor and owner, narrowed by who, what, when, about what."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from customers.models import Customer
from tests.clients import data, signed_in

PAGE = "/admin/activity/"


def shown(user: User, **filters: str) -> list[tuple[str, str]]:
    """Return (verb, subject) of what the page lists, sign-ins left out."""
    answer = signed_in(user).get(PAGE, filters)
    return [
        (line.event.verb, line.subject.text)
        for line in data(answer)["lines"]
        if line.event.verb != verbs.SIGNED_IN
    ]


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer.objects.create(number="12437", name="Anna Keller")


@pytest.mark.parametrize("who", ["ann", "max_", "oli", "nia"])
def test_only_auditor_and_owner_see_it(who: str, request: pytest.FixtureRequest) -> None:
    assert signed_in(request.getfixturevalue(who)).get(PAGE).status_code == 403


@pytest.mark.parametrize("who", ["ada", "kim"])
def test_it_names_person_verb_record_and_reason(
    who: str, request: pytest.FixtureRequest, eve: User, customer: Customer
) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer, reason="Customer wrote in")
    page = signed_in(request.getfixturevalue(who)).get(PAGE).content.decode()
    for text in ("Eve", "Record changed", "Customer 12437", "Customer wrote in"):
        assert text in page
    assert "Keller" not in page


def test_it_narrows_by_person(ada: User, eve: User, ann: User, customer: Customer) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer)
    record(verbs.DELETED, actor=ann, subject=customer)
    assert shown(ada, person=str(eve.pk)) == [(verbs.CHANGED, "Customer 12437")]


def test_it_narrows_by_verb_and_outcome(ada: User, eve: User, customer: Customer) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer)
    record(verbs.CHANGED, actor=eve, subject=customer, outcome=Outcome.REFUSED)
    record(verbs.EXPORTED, actor=eve, subject=Customer)
    assert len(shown(ada, verb=verbs.CHANGED)) == 2
    assert shown(ada, verb=verbs.CHANGED, outcome="refused") == [(verbs.CHANGED, "Customer 12437")]


def test_it_narrows_by_a_records_public_number(ada: User, eve: User, customer: Customer) -> None:
    other = Customer.objects.create(number="2")
    record(verbs.CHANGED, actor=eve, subject=customer)
    record(verbs.CHANGED, actor=eve, subject=other)
    found = shown(ada, kind="customers.customer", number="12437")
    assert found == [(verbs.CHANGED, "Customer 12437")]


def test_it_narrows_by_period(
    ada: User, eve: User, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = timezone.now() - timedelta(days=3)
    with monkeypatch.context() as clock:
        clock.setattr(timezone, "now", lambda: past)
        record(verbs.CHANGED, actor=eve, subject=customer)
    record(verbs.DELETED, actor=eve, subject=customer)
    assert shown(ada, period="day") == [(verbs.DELETED, "Customer 12437")]
    assert len(shown(ada, period="week")) == 2


def test_wrong_filter_finds_nothing(ada: User, eve: User, customer: Customer) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer)
    assert shown(ada, verb="nonsense") == []


def test_record_that_is_gone_is_named_by_its_key(ada: User, eve: User, customer: Customer) -> None:
    record(verbs.DELETED, actor=eve, subject=customer)
    key = customer.pk
    customer.delete()
    assert shown(ada) == [(verbs.DELETED, f"Customer {key}")]


def test_older_events_are_a_page_further(ada: User, eve: User, customer: Customer) -> None:
    for _ in range(60):
        record(verbs.CHANGED, actor=eve, subject=customer)
    client = signed_in(ada)
    first = data(client.get(PAGE))
    second = data(client.get(PAGE, {"before": first["older"]}))
    keys = [line.event.pk for line in (*first["lines"], *second["lines"])]
    assert keys == sorted(keys, reverse=True)
    assert len(keys) == len(set(keys)) == 61


def test_three_events_ask_as_much_as_one(ada: User, eve: User, customer: Customer) -> None:
    client = signed_in(ada)
    record(verbs.CHANGED, actor=eve, subject=customer)
    with CaptureQueriesContext(connection) as one:
        client.get(PAGE)
    for number in ("2", "3"):
        record(verbs.CHANGED, actor=ada, subject=Customer.objects.create(number=number))
    with CaptureQueriesContext(connection) as three:
        client.get(PAGE)
    assert len(three) == len(one)


def test_nothing_on_it_can_be_changed(ada: User) -> None:
    assert signed_in(ada).post(PAGE).status_code == 405
