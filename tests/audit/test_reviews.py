"""The monthly access review: who saw how much, why, what is unusual; signed once, by another."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.audit import reviews, verbs
from backoffice.audit.models import AccessReview, Event, Outcome
from backoffice.audit.reviews import Line
from backoffice.audit.services import record
from backoffice.masking.services import GRANTED, REVEALED
from customers.models import Customer
from tests.clients import data
from tests.people import PASSWORD

PAGE = "/admin/access-review/"


@contextmanager
def at(year: int, month: int, day: int = 9) -> Iterator[None]:
    """Let it be noon of that day."""
    moment = dt.datetime(year, month, day, 12, tzinfo=dt.UTC)
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(timezone, "now", lambda: moment)
        yield


@pytest.fixture
def customers(db: None) -> list[Customer]:
    return [Customer.objects.create(number=str(n), name="Anna Keller") for n in range(3)]


def look(person: User, customers: list[Customer], times: int, reason: str = "Call back") -> None:
    for number in range(times):
        subject = customers[number % len(customers)]
        record(REVEALED, actor=person, subject=subject, reason=reason)


def months(person: User, customers: list[Customer], counts: dict[int, int]) -> None:
    """Let the person reveal so many values in these months of 2011."""
    for month, count in counts.items():
        with at(2011, month):
            look(person, customers, count)


DECEMBER = dt.date(2011, 12, 1)


def line_of(person: User, month: dt.date = DECEMBER) -> Line:
    return next(line for line in reviews.lines(month) if line.person == person.pk)


def test_it_counts_what_each_person_did(eve: User, ann: User, customers: list[Customer]) -> None:
    with at(2011, 12):
        look(eve, customers, 4)
        record(verbs.SEARCHED, actor=eve, subject=Customer)
        record(verbs.EXPORTED, actor=eve, subject=Customer, context={"rows": 250})
        record(verbs.EXPORTED, actor=eve, subject=Customer, context={"rows": 8})
        record(GRANTED, actor=eve, subject=customers[0])
        record(REVEALED, actor=eve, subject=customers[0], outcome=Outcome.REFUSED)
        record(verbs.CHANGED, actor=eve, subject=customers[0])
        record(REVEALED, actor=ann, subject=customers[0])
    line = line_of(eve)
    assert (line.revealed, line.records, line.searched, line.exported, line.rows) == (
        4,
        3,
        1,
        2,
        258,
    )
    assert (line.granted, line.refused, line.total) == (1, 1, 8)
    assert line_of(ann).total == 1


def test_reasons_are_listed_the_most_frequent_first(eve: User, customers: list[Customer]) -> None:
    with at(2011, 12):
        look(eve, customers, 1, "Fraud")
        look(eve, customers, 2, "Call back")
    assert line_of(eve).reasons == [("Call back", 2), ("Fraud", 1)]


def test_months_end_where_the_next_begins(eve: User, customers: list[Customer]) -> None:
    for month, day in ((11, 30), (12, 1), (12, 31)):
        with at(2011, month, day):
            look(eve, customers, 1)
    with at(2012, 1, 1):
        look(eve, customers, 1)
    assert line_of(eve).revealed == 2


@pytest.mark.parametrize(
    ("past", "now", "usual", "outlier"),
    [
        ({9: 2, 10: 4, 11: 3}, 6, 3.0, True),
        ({9: 2, 10: 4, 11: 3}, 5, 3.0, False),
        ({9: 4}, 2, 0.0, True),  # nothing in October and November
        ({}, 50, None, False),
    ],
)
def test_outlier_is_twice_the_persons_own_median(
    past: dict[int, int], now: int, usual: float | None, outlier: object,
    eve: User, ann: User, customers: list[Customer],
) -> None:  # fmt: skip
    months(eve, customers, {**past, 12: now})
    months(ann, customers, dict.fromkeys(range(6, 12), 9))  # somebody else's usual is not hers
    line = line_of(eve)
    assert (line.usual, line.is_outlier) == (usual, outlier)


def test_six_months_before_count_and_no_older_one(eve: User, customers: list[Customer]) -> None:
    months(eve, customers, {1: 9, 2: 9, 3: 9, 4: 9, 5: 9, **dict.fromkeys(range(6, 13), 2)})
    assert line_of(eve).usual == 2.0


def test_more_people_and_events_ask_no_more(
    eve: User, ann: User, max_: User, customers: list[Customer]
) -> None:
    counts = []
    for people in ((eve,), (ann, max_)):
        for person in people:
            months(person, customers, {11: 3, 12: 5})
        with CaptureQueriesContext(connection) as queries:
            reviews.lines(DECEMBER)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def seen(month: dt.date = DECEMBER) -> str:
    return reviews.digest(month, reviews.figures_of(reviews.lines(month)))


def sign(actor: User, **more: Any) -> AccessReview:
    values = {"comment": "Nothing unusual", "seen": seen(), **more}
    return reviews.sign(DECEMBER, actor=actor, **values)


def test_signature_and_hash_go_on_the_record(
    ada: User, eve: User, customers: list[Customer]
) -> None:
    months(eve, customers, {12: 2})
    review = sign(ada)
    assert (review.month, review.signed_by, review.comment) == (DECEMBER, ada, "Nothing unusual")
    event = Event.objects.get(verb=verbs.REVIEW_SIGNED)
    assert event.context["snapshot"] == review.snapshot == seen()
    assert (event.context["month"], event.context["own_line"]) == ("2011-12", False)
    assert "Call back" not in str(review.figures)


def test_month_is_signed_once(ada: User, kim: User, eve: User, customers: list[Customer]) -> None:
    months(eve, customers, {12: 2})
    sign(ada)
    with pytest.raises(ValidationError, match="signed already"):
        sign(kim)
    assert AccessReview.objects.count() == 1


def test_figures_that_moved_are_not_signed(ada: User, eve: User, customers: list[Customer]) -> None:
    months(eve, customers, {12: 2})
    before = seen()
    months(eve, customers, {12: 1})
    with pytest.raises(ValidationError, match="changed"):
        sign(ada, seen=before)


def test_month_that_runs_is_not_signed(ada: User) -> None:
    with at(2011, 12, 31), pytest.raises(ValidationError, match="not over"):
        sign(ada)


def test_nobody_signs_for_themselves_alone(
    ada: User, kim: User, eve: User, customers: list[Customer]
) -> None:
    months(ada, customers, {12: 2})
    with pytest.raises(ValidationError, match="somebody else"):
        sign(ada)
    sign(kim)
    months(ada, customers, {11: 2})
    months(eve, customers, {11: 2})
    november = dt.date(2011, 11, 1)
    reviews.sign(november, actor=ada, comment="Fine", seen=seen(november))
    event = Event.objects.filter(verb=verbs.REVIEW_SIGNED, actor=ada).get()
    assert event.context["own_line"] is True


def test_comment_is_needed(ada: User) -> None:
    with pytest.raises(ValidationError):
        sign(ada, comment=" ")


@pytest.mark.parametrize("who", ["eve", "max_", "oli", "nia"])
def test_others_neither_see_nor_sign(who: str, request: pytest.FixtureRequest) -> None:
    person = request.getfixturevalue(who)
    client = Client()
    client.force_login(person)
    assert client.get(PAGE).status_code == 403
    assert client.post(f"{PAGE}2011/12/sign/").status_code == 403
    with pytest.raises(PermissionDenied):
        sign(person)


@pytest.fixture
def auditor(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def test_page_names_people_and_reasons_and_no_values(
    auditor: Client, eve: User, customers: list[Customer]
) -> None:
    months(eve, customers, {10: 1, 11: 1, 12: 4})
    page = auditor.get(PAGE, {"month": "2011-12"}).content.decode()
    for text in ("Eve", "Call back (4)", "Twice the usual or more"):
        assert text in page
    assert "Keller" not in page


def test_numbers_lead_to_their_events(
    auditor: Client, eve: User, ann: User, customers: list[Customer]
) -> None:
    months(eve, customers, {11: 1, 12: 2})
    months(ann, customers, {12: 1})
    rows = data(auditor.get(PAGE, {"month": "2011-12"}))["lines"]
    cells = next(cells for line, _name, cells in rows if line.person == eve.pk)
    events = [line.event for line in data(auditor.get(cells[0][2]))["lines"]]
    assert [(event.actor, event.verb, event.at.month) for event in events] == [
        (eve, REVEALED, 12)
    ] * 2


def test_month_is_signed_by_its_dialog(
    auditor: Client, eve: User, customers: list[Customer]
) -> None:
    months(eve, customers, {12: 2})
    address = f"{PAGE}2011/12/sign/"
    auditor.get(address, {"seen": seen()})
    assert not AccessReview.objects.exists()
    values = {"seen": seen(), "comment": "Fine", "step_up_proof": PASSWORD}
    assert auditor.post(address, values).status_code == 302
    assert AccessReview.objects.get().comment == "Fine"
    page = auditor.get(PAGE, {"month": "2011-12"}).content.decode()
    assert "those that were signed" in page


def test_signing_needs_fresh_proof(auditor: Client, eve: User, customers: list[Customer]) -> None:
    session = auditor.session
    session["stepup_at"] = 0
    session.save()
    values = {"seen": seen(), "comment": "Fine"}
    assert auditor.post(f"{PAGE}2011/12/sign/", values).status_code == 400
    assert not AccessReview.objects.exists()


@pytest.mark.parametrize("month", ["2011-13", "x", "2011"])
def test_month_that_is_none_is_not_found(month: str, auditor: Client) -> None:
    assert auditor.get(PAGE, {"month": month}).status_code == 404
