"""Erasing a person: texts about others that name them, and names given to do harm."""

import json
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore

from backoffice.accounts.models import RoleChange, User
from backoffice.approvals import services as approvals
from backoffice.audit import verbs
from backoffice.audit.models import Event, EventReason
from backoffice.audit.services import record, save_with_history
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.masking.collecting import collect
from backoffice.masking.services import give_grant
from customers.models import Customer
from customers.places import person
from customers.services import erasure, privacy
from tests.customers.desk import carried_out, open_case
from tests.customers.traces import EMAIL, NAME, erase, texts_of_the_database
from tests.factories import make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_places")]
PHRASE = "Legal or fraud request"


def decoy_of(kim: User) -> Customer:
    """Return a customer whose name was a choice of a reason for a moment."""
    decoy = Customer(number="D1", name="Dora Decoyova", email="dora@decoy-canary.example")
    save_with_history(decoy, actor=kim, reason="")
    for name in (PHRASE, "fraud request", "asked by the court", "Dora Decoyova"):
        decoy.name = name
        save_with_history(decoy, actor=kim, reason="")
    return Customer.objects.get(pk=decoy.pk)


def test_name_typed_to_erase_the_record_of_others_erases_nothing(
    kim: User, people: dict[str, User]
) -> None:
    """The attack: name a customer like a reason, name them back, have them erased."""
    decoy, other = decoy_of(kim), make_customer(name="Bo Otherperson")
    typed = f"{PHRASE}: asked by the court"
    record(verbs.CHANGED, actor=kim, subject=other, reason=typed)
    record(verbs.CHANGED, actor=kim, reason=typed)
    give_grant(other, user=people["ann"], actor=kim, reason=typed)
    RoleChange.objects.create(role="support", permission="x.y", granted=True, actor=kim,
                              reason=typed)  # fmt: skip
    files.keep(typed.encode(), name="a.csv", kind="csv", purpose="walk", owner=kim)
    session = SessionStore()
    session["message"] = typed
    session.save()
    exported = json.dumps([part.rows for part in collect(person(decoy))])
    assert exported.count("asked by the court") == 1  # the decoy's own history
    before = Counter(text for _place, text in texts_of_the_database() if PHRASE in text)
    case = erase(decoy, people)
    after = Counter(text for _place, text in texts_of_the_database() if PHRASE in text)
    assert before - after == Counter({PHRASE: 1})
    assert Event.objects.filter(typed__text=typed).count() >= 3
    assert KeptFile.objects.filter(name="a.csv").exists()
    assert case.receipt["rows"]["accounts.roles"] == 0


def test_name_that_is_a_word_of_ours_is_nobodys_name_however_long_it_stood(
    kim: User, people: dict[str, User]
) -> None:
    decoy = make_customer(name=PHRASE)
    change = RoleChange.objects.create(role="support", permission="x.y", granted=True, actor=kim,
                                       reason=f"{PHRASE}: asked")  # fmt: skip
    record(verbs.CHANGED, actor=kim, reason=f"{PHRASE}: asked")
    erase(decoy, people)
    change.refresh_from_db()
    assert change.reason == f"{PHRASE}: asked"
    assert Event.objects.filter(typed__text=f"{PHRASE}: asked").exists()


def test_name_that_stood_takes_no_reason_about_somebody_else(
    kim: User, people: dict[str, User]
) -> None:
    """A name alone goes from other texts, and leaves the reasons of the record where they are."""
    lasting = Customer(number="D2", name="Dora Lastingova")
    save_with_history(lasting, actor=kim, reason="")
    lasting.name = "Dora Presentova"
    save_with_history(lasting, actor=kim, reason="")
    old = lasting.history.order_by("history_id").first()
    old.history_date -= timedelta(days=2)
    old.save()
    other = make_customer(name="Bo Otherperson")
    both = "Dora Lastingova, Dora Presentova"
    record(verbs.CHANGED, actor=kim, subject=other, reason=both)
    record(verbs.CHANGED, actor=kim, reason=both)
    change = RoleChange.objects.create(role="support", permission="x.y", granted=True, actor=kim,
                                       reason=f"for {both}")  # fmt: skip
    case = open_case(lasting, "erasure", people["pia"])
    request = privacy.ask(case, actor=people["pia"], reason="asked by letter")
    shown = {str(line.label): line.before for line in erasure.effects(request)}
    told = "texts about others that name the person"
    assert shown[f"Reasons of changed roles: {told}"] == "1"
    assert shown[f"Typed reasons in the record of activity: {told}"] == "1"
    approvals.approve(request, actor=people["kim"])
    carried_out(case)
    change.refresh_from_db()
    assert change.reason == "for [erased], [erased]"
    kept = Event.objects.filter(typed__text=both)
    assert [event.subject_id for event in kept] == [str(other.pk)]


def test_identifier_takes_a_reason_about_somebody_else(
    customer: Customer, people: dict[str, User]
) -> None:
    other = make_customer(name="Bo Otherperson")
    record(verbs.CHANGED, actor=people["kim"], subject=other, reason=f"as {NAME} ({EMAIL}) said")
    record(verbs.CHANGED, actor=people["kim"], subject=other, reason=f"as {NAME} said")
    grant = give_grant(other, user=people["ann"], actor=people["kim"], reason=f"{EMAIL} wrote")
    erase(customer, people)
    grant.refresh_from_db()
    assert grant.reason == "[erased] wrote"
    about = EventReason.objects.filter(event__subject_type="customers.customer")
    typed = about.filter(event__subject_id=str(other.pk)).values_list("text", flat=True)
    assert sorted(typed) == ["", "", f"as {NAME} said"]
