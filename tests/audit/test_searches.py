"""Searches of Activity: kept per person, exported with their filter on the record."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.audit import chain, state, triggers, verbs
from backoffice.audit.admin.activity import ActivityFilter
from backoffice.audit.models import Event, SavedSearch
from backoffice.audit.services import record
from backoffice.masking.services import REVEALED
from customers.models import Customer
from tests.audit.conftest import tampering
from tests.clients import signed_in

PAGE = "/admin/activity/"


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer.objects.create(number="12437", name="Anna Keller")


def keep(client: Client, name: str = "Mine", query: str = "verb=record.changed") -> Any:
    return client.post(f"{PAGE}save/", {"name": name, "query": query})


def tabs(client: Client, query: str = "") -> list[str]:
    page = client.get(f"{PAGE}?{query}").content.decode()
    nav = page.partition('class="bo-tabs"')[2].partition("</nav>")[0]
    return re.findall(r">([^<>]+)</a>", nav)


def test_kept_search_is_a_tab_for_its_owner_alone(ada: User, kim: User) -> None:
    assert keep(signed_in(ada)).status_code == 302
    assert "Mine" in tabs(signed_in(ada))
    assert "Mine" not in tabs(signed_in(kim))
    event = Event.objects.get(verb=verbs.SEARCH_SAVED)
    assert (event.actor, event.context) == (ada, {"search": "verb=record.changed"})


def test_only_known_parameters_are_kept(ada: User) -> None:
    keep(signed_in(ada), query="verb=record.changed&before=5&evil=1&outcome=")
    assert SavedSearch.objects.get().query == "verb=record.changed"


@pytest.mark.parametrize(
    "query", ["verb=nonsense", "since=yesterday", "number=A%E2%80%A2%E2%80%A2"]
)
def test_search_that_means_nothing_is_not_kept(query: str, ada: User) -> None:
    assert keep(signed_in(ada), query=query).status_code == 400
    assert not SavedSearch.objects.exists()


def test_name_is_used_once(ada: User, kim: User) -> None:
    assert keep(signed_in(ada)).status_code == 302
    assert keep(signed_in(ada)).status_code == 400
    assert keep(signed_in(kim)).status_code == 302


def test_only_the_owner_drops_a_search(ada: User, kim: User) -> None:
    keep(signed_in(ada))
    address = f"{PAGE}{SavedSearch.objects.get().pk}/drop/"
    assert signed_in(kim).post(address).status_code == 404
    assert signed_in(ada).get(address).status_code == 200
    assert SavedSearch.objects.count() == 1
    assert signed_in(ada).post(address).status_code == 302
    assert not SavedSearch.objects.exists()


def export(client: Client, query: str = "", kind: str = "csv") -> Any:
    return client.post(f"{PAGE}export/", {"query": query, "format": kind})


def text_of(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_export_holds_the_search_and_is_on_the_record(
    ada: User, eve: User, customer: Customer
) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer, reason="=1+1")
    record(verbs.DELETED, actor=eve, subject=customer)
    answer = export(signed_in(ada), f"verb={verbs.CHANGED}&kind=customers.customer&number=12437")
    lines = text_of(answer).splitlines()
    assert len(lines) == 2
    assert "Record changed,customers.customer" in lines[1]
    assert "'=1+1" in lines[1]  # no formula
    event = Event.objects.get(verb=verbs.EXPORTED)
    assert (event.actor, event.subject_type) == (ada, "audit.event")
    assert event.context == {
        "format": "csv",
        "rows": 1,
        "filter": {"verb": verbs.CHANGED, "kind": "customers.customer", "number": "12437"},
    }


def test_number_that_nothing_has_is_not_kept(ada: User, eve: User, customer: Customer) -> None:
    """It may be anything that somebody typed, and no erasure reaches the record's facts."""
    record(verbs.CHANGED, actor=eve, subject=customer)
    export(signed_in(ada), "kind=customers.customer&number=qzx1anna@qzhost.example")
    event = Event.objects.get(verb=verbs.EXPORTED)
    assert event.context["filter"] == {"kind": "customers.customer", "number": "*"}


def test_export_as_workbook(ada: User, eve: User, customer: Customer) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer)
    answer = export(signed_in(ada), kind="xlsx")
    assert b"".join(answer.streaming_content)[:2] == b"PK"


def test_export_needs_its_right_and_a_post(ada: User, oli: User) -> None:
    assert export(signed_in(oli)).status_code == 403
    assert signed_in(ada).get(f"{PAGE}export/").status_code == 405
    assert not Event.objects.filter(verb=verbs.EXPORTED).exists()


@pytest.mark.parametrize(("query", "kind"), [("verb=nonsense", "csv"), ("", "pdf")])
def test_wrong_export_is_refused(query: str, kind: str, ada: User) -> None:
    assert export(signed_in(ada), query, kind).status_code == 400


def found(ada: User, **filters: str) -> list[str]:
    answer: Any = signed_in(ada).get(PAGE, filters)
    lines = answer.context_data["lines"]
    return [line.event.verb for line in lines if line.event.verb != verbs.SIGNED_IN]


def test_it_narrows_by_days(
    ada: User, eve: User, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    for days, verb in ((2, verbs.ADDED), (1, verbs.CHANGED), (0, verbs.DELETED)):
        with monkeypatch.context() as clock:
            clock.setattr(timezone, "now", lambda days=days: now - timedelta(days=days))
            record(verb, actor=eve, subject=customer)
    day: date = timezone.localdate(now - timedelta(days=1))
    assert found(ada, since=day.isoformat()) == [verbs.DELETED, verbs.CHANGED]
    assert found(ada, until=day.isoformat()) == [verbs.CHANGED, verbs.ADDED]
    assert found(ada, since=day.isoformat(), until=day.isoformat()) == [verbs.CHANGED]


def test_one_choice_takes_in_all_that_shows_personal_data(
    ada: User, eve: User, customer: Customer
) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer)
    record(REVEALED, actor=eve, subject=customer)
    record(verbs.SEARCHED, actor=eve, subject=Customer)
    assert found(ada, verb="personal") == [verbs.SEARCHED, REVEALED]
    assert found(ada, verb="personal.revealed") == [REVEALED]


def test_page_says_how_far_the_chain_reaches(
    ada: User, events: list[Event], settings: Any, tmp_path: Path
) -> None:
    settings.BACKOFFICE_AUDIT_ANCHORS = str(tmp_path / "none.txt")
    record(verbs.CHANGED, actor=ada)
    now = state.now()
    assert (now.position, now.hash, now.waiting) == (10, chain.head().hash, 1)
    assert (now.anchor, now.guarded) == (None, True)
    page = signed_in(ada).get(PAGE).content.decode()
    assert "to position 10" in page
    assert "lacks the triggers" not in page


def test_missing_guards_are_told(ada: User, events: list[Event]) -> None:
    client = signed_in(ada)
    with tampering():
        assert "lacks the triggers" in client.get(PAGE).content.decode()
    assert not triggers.missing(connection)


SEARCHES = (
    "person=1",
    "verb=record.changed",
    "verb=personal",
    "outcome=refused",
    "kind=customers.customer",
    "kind=customers.customer&number=12437",
    "since=2011-12-01&until=2011-12-31",
)


@pytest.mark.sqlite
@pytest.mark.parametrize("query", SEARCHES)
def test_no_search_reads_the_whole_record(query: str, eve: User, customer: Customer) -> None:
    form = ActivityFilter(QueryDict(query.replace("person=1", f"person={eve.pk}")))
    plan = form.narrow(Event.objects.all())[:51].explain()
    assert "SEARCH" in plan
    assert not re.search(r"SCAN audit_\w+(?! USING)$", plan, re.MULTILINE)
