"""Revealing: who may, with what reason, how often; and that the event comes before the value."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.masking import services
from backoffice.masking.services import (
    REVEALED,
    Allowance,
    Reason,
    RevealRefusedError,
    allowance,
    reveal,
    search_exact,
)
from customers.models import Customer
from tests.masking.conftest import EMAIL, NAME, PHONE
from tests.people import allow, make_person

WHY = Reason("delivery", "Carrier asks for a number")


def make_customer(number: str = "12437") -> Customer:
    return Customer.objects.create(number=number, name=NAME, email=EMAIL, phone=PHONE)


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer()


def attempts() -> list[tuple[str, str, object]]:
    """Return (outcome, who, rule) of each attempt to reveal, oldest first."""
    events = Event.objects.filter(verb=REVEALED).order_by("pk").select_related("actor")
    return [
        (
            event.outcome,
            event.actor.get_username() if event.actor else "",
            event.context.get("rule"),
        )
        for event in events
    ]


def test_reveal_gives_the_value_and_leaves_an_event(customer: Customer, ann: User) -> None:
    value = reveal(customer, "phone", actor=ann, reason=WHY, fresh=True)
    event = Event.objects.get(verb=REVEALED)
    assert (value.text, value.seconds) == (PHONE, 60)
    assert (event.actor, event.subject_type, event.subject_id, event.outcome) == (
        ann, "customers.customer", str(customer.pk), Outcome.DONE,
    )  # fmt: skip
    assert event.reason == "Arrange delivery or return: Carrier asks for a number"
    assert event.context == {"field": "phone", "purpose": "delivery"}


def test_reveal_does_not_show_in_a_repr(customer: Customer, ann: User) -> None:
    assert PHONE not in repr(reveal(customer, "phone", actor=ann, reason=WHY, fresh=True))


def test_reveal_without_the_right_is_refused_and_recorded(customer: Customer, eve: User) -> None:
    with pytest.raises(RevealRefusedError):
        reveal(customer, "phone", actor=eve, reason=WHY, fresh=True)
    assert attempts() == [("refused", "eve", "no role gives customers.reveal_customer")]


@pytest.mark.parametrize("posted", ["qzx1anna@qzhost.example", "••••••••"])
def test_purpose_that_no_list_has_is_not_kept(customer: Customer, eve: User, posted: str) -> None:
    """It is what somebody typed, and no erasure reaches the facts of an event."""
    with pytest.raises(RevealRefusedError):
        reveal(customer, "phone", actor=eve, reason=Reason(posted, "words"), fresh=True)
    assert Event.objects.get(verb=REVEALED).context["purpose"] == ""


def test_reveal_by_an_inactive_person_is_refused(customer: Customer, ann: User) -> None:
    ann.is_active = False
    with pytest.raises(RevealRefusedError):
        reveal(customer, "phone", actor=ann, reason=WHY, fresh=True)


def test_reveal_by_a_superuser_needs_reason_and_is_recorded(customer: Customer) -> None:
    root = User.objects.create_superuser("root", password="x")
    with pytest.raises(ValidationError):
        reveal(customer, "phone", actor=root, reason=Reason("delivery", " "), fresh=True)
    reveal(customer, "phone", actor=root, reason=WHY, fresh=True)
    assert attempts() == [("done", "root", None)]


@pytest.mark.parametrize("reason", [Reason("", "x"), Reason("because", "x"), Reason("call", "  ")])
def test_reveal_without_a_reason_is_refused(customer: Customer, ann: User, reason: Reason) -> None:
    with pytest.raises(ValidationError):
        reveal(customer, "phone", actor=ann, reason=reason, fresh=True)


def test_reveal_without_fresh_proof_is_refused(customer: Customer, ann: User) -> None:
    with pytest.raises(RevealRefusedError) as refused:
        reveal(customer, "phone", actor=ann, reason=WHY, fresh=False)
    assert refused.value.rule == "not fresh"
    assert attempts() == [("refused", "ann", "not fresh")]


def test_reveal_of_a_plain_field_is_an_error(customer: Customer, ann: User) -> None:
    with pytest.raises(ValueError, match="not masked"):
        reveal(customer, "country", actor=ann, reason=WHY, fresh=True)


def test_reveal_reads_the_row_and_not_the_object(customer: Customer, ann: User) -> None:
    Customer.objects.filter(pk=customer.pk).update(phone="+33 1")
    customer.phone = "+44 2"
    assert reveal(customer, "phone", actor=ann, reason=WHY, fresh=True).text == "+33 1"


@pytest.mark.django_db(transaction=True)
def test_reveal_inside_a_transaction_is_refused(ann: User) -> None:
    customer = make_customer()
    with transaction.atomic(), pytest.raises(RuntimeError):
        reveal(customer, "phone", actor=ann, reason=WHY, fresh=True)


def test_no_value_leaves_when_the_event_cannot_be_written(
    customer: Customer, ann: User, read_unrecorded: list[str]
) -> None:
    with pytest.raises(OSError, match="disk full"):
        reveal(customer, "phone", actor=ann, reason=WHY, fresh=True)
    assert read_unrecorded == []


def test_limit_of_an_hour_counts_records_and_not_looks(
    db: None, ann: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 2
    one, two, three = (make_customer(str(number)) for number in range(3))
    for customer, field in [(one, "phone"), (one, "email"), (two, "phone"), (one, "name")]:
        reveal(customer, field, actor=ann, reason=WHY, fresh=True)
    with pytest.raises(RevealRefusedError) as refused:
        reveal(three, "phone", actor=ann, reason=WHY, fresh=True)
    assert refused.value.rule == services.OVER_LIMIT
    assert attempts()[-1] == ("refused", "ann", "limit")
    assert reveal(one, "phone", actor=ann, reason=WHY, fresh=True).text == PHONE


def test_limit_of_a_day_holds_when_the_hour_is_over(
    db: None, ann: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BACKOFFICE_REVEALS_PER_DAY = 1
    reveal(make_customer("1"), "phone", actor=ann, reason=WHY, fresh=True)
    let_pass(dt.timedelta(hours=2), monkeypatch)
    assert allowance(ann).day == 0
    with pytest.raises(RevealRefusedError):
        reveal(make_customer("2"), "phone", actor=ann, reason=WHY, fresh=True)
    let_pass(dt.timedelta(hours=23), monkeypatch)
    assert reveal(make_customer("3"), "phone", actor=ann, reason=WHY, fresh=True).text == PHONE


def let_pass(by: dt.timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the clock; the events of the record cannot be moved."""
    later = timezone.now() + by
    monkeypatch.setattr(timezone, "now", lambda: later)


def test_limit_of_others_is_their_own(db: None, ann: User, settings: Settings) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 1
    other = allow(make_person("abe", "support"), "customers.reveal_customer")
    reveal(make_customer("1"), "phone", actor=ann, reason=WHY, fresh=True)
    assert (allowance(ann).hour, allowance(other)) == (0, Allowance(1, 120))


@pytest.mark.django_db(transaction=True)
def test_limit_holds_under_many_requests_at_once(ann: User, settings: Settings) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 3
    customers = [make_customer(str(number)) for number in range(8)]

    def look(customer: Customer) -> bool:
        try:
            reveal(customer, "phone", actor=ann, reason=WHY, fresh=True)
        except RevealRefusedError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(look, customers))
    assert (seen.count(True), Event.objects.filter(verb=REVEALED, outcome="done").count()) == (3, 3)


def test_search_finds_whole_values_and_is_recorded(customer: Customer, eve: User) -> None:
    found = search_exact(Customer.objects.all(), "email", EMAIL.upper(), actor=eve)
    missed = search_exact(Customer.objects.all(), "phone", "+82", actor=eve)
    number = search_exact(Customer.objects.all(), "number", "12437", actor=eve)
    assert (list(found), list(missed), list(number)) == ([customer], [], [customer])
    events = Event.objects.filter(verb="record.searched").order_by("pk")
    assert [(event.actor, event.subject_type, event.context) for event in events] == [
        (eve, "customers.customer", {"field": "email", "found": 1}),
        (eve, "customers.customer", {"field": "phone", "found": 0}),
        (eve, "customers.customer", {"field": "number", "found": 1}),
    ]
