"""The privacy officer hears of the cap and of unusual days; copies are on the record."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.mail.models import Mail
from backoffice.masking import alarms, allowances, services
from backoffice.masking.models import Alarm
from backoffice.masking.services import COPIED, REVEALED, RevealRefusedError, note_copied, reveal
from customers.models import Customer
from tests.clients import signed_in, version_in
from tests.masking.test_pages import WHY as POSTED
from tests.masking.test_pages import address, text
from tests.masking.test_services import WHY, let_pass, make_customer
from tests.people import make_person


@pytest.fixture
def customers(db: None) -> list[Customer]:
    return [make_customer(str(number)) for number in range(12)]


def look(actor: User, customers: list[Customer]) -> None:
    for customer in customers:
        reveal(customer, "phone", actor=actor, reason=WHY, fresh=True)


def stopped(actor: User, customer: Customer) -> None:
    with pytest.raises(RevealRefusedError):
        reveal(customer, "phone", actor=actor, reason=WHY, fresh=True)


def told() -> list[tuple[str, str]]:
    """Return (to whom, about what) of each mail about an alarm."""
    mails = Mail.objects.filter(template=alarms.MAIL).order_by("pk").select_related("to_user")
    return [(mail.to_user.username, mail.context["what"]) for mail in mails if mail.to_user]


def test_officer_hears_of_the_cap_once_an_hour_for_each_person(
    customers: list[Customer], ann: User, pia: User, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings.BACKOFFICE_REVEALS_PER_HOUR = 0
    for customer in customers[:3]:
        stopped(ann, customer)
    assert told() == [("pia", "Stopped at the limit")]
    assert Alarm.objects.get().facts == {"asked": 1, "seen": 0, "hour": 0, "day": 120}
    stopped(User.objects.create_superuser("root"), customers[0])
    assert (Alarm.objects.count(), len(told())) == (2, 2)
    let_pass(dt.timedelta(minutes=61), monkeypatch)
    stopped(ann, customers[0])
    assert (Alarm.objects.count(), len(told())) == (3, 3)


def test_nobody_hears_of_themselves(
    customers: list[Customer], pia: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 1
    with pytest.raises(RevealRefusedError):
        services.unmask(customers, ["phone"], actor=pia, reason=WHY, fresh=True)
    assert (Alarm.objects.count(), told()) == (1, [])


def past_days(
    actor: User, customers: list[Customer], counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let `actor` look into so many records on each of the days before today."""
    now, noon = timezone.now(), timezone.localtime().replace(hour=12)
    for days, count in enumerate(counts, start=1):
        at = noon - dt.timedelta(days=days)
        monkeypatch.setattr(timezone, "now", lambda at=at: at)
        look(actor, customers[:count])
    monkeypatch.setattr(timezone, "now", lambda: now)


def test_twice_the_usual_of_a_day_raises_an_alarm_once(
    customers: list[Customer], ann: User, pia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_days(ann, customers, [3, 4, 2, 4, 11], monkeypatch)
    assert allowances.usual(ann) == 4
    look(ann, customers[:7])
    assert Alarm.objects.count() == 0
    look(ann, customers[:10])
    assert told() == [("pia", "Twice as many as usual")]
    assert Alarm.objects.get().facts == {"seen": 8, "usual": "4"}


def test_who_is_new_has_nothing_usual(
    customers: list[Customer], ann: User, pia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_days(ann, customers, [1, 1, 1, 1], monkeypatch)
    look(ann, customers)
    assert (allowances.usual(ann), Alarm.objects.count()) == (None, 0)


def test_alarm_is_settled_by_another_with_a_finding(
    customers: list[Customer], ann: User, pia: User, ada: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 0
    stopped(ann, customers[0])
    alarm = Alarm.objects.get()
    assert (alarms.waiting(pia), alarms.waiting(ada)) == (1, 0)
    with pytest.raises(PermissionDenied):
        alarms.settle(alarm, actor=ada, finding="fine")
    with pytest.raises(ValidationError):
        alarms.settle(alarm, actor=pia, finding=" ")
    alarms.settle(alarm, actor=pia, finding="A recall of a product")
    with pytest.raises(ValidationError):
        alarms.settle(alarm, actor=pia, finding="again")
    event = Event.objects.get(verb=alarms.SETTLED)
    assert (event.actor, event.subject_id, event.reason) == (
        pia, str(alarm.pk), "A recall of a product",
    )  # fmt: skip
    assert alarms.waiting(pia) == 0


def test_nobody_settles_an_alarm_about_themselves(pia: User) -> None:
    alarm = Alarm.objects.create(kind="limit", person=pia, facts={"seen": 1, "asked": 1})
    with pytest.raises(PermissionDenied):
        alarms.settle(alarm, actor=pia, finding="me")
    with pytest.raises(IntegrityError), transaction.atomic():
        Alarm.objects.filter(pk=alarm.pk).update(settled_by=pia)


def test_page_of_alarms_shows_and_settles(
    customers: list[Customer], ann: User, pia: User, ada: User, eve: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 0
    stopped(ann, customers[0])
    alarm = Alarm.objects.get()
    listing = reverse("admin:masking_alarm_changelist")
    assert signed_in(eve).get(listing).status_code == 403
    assert "asked for 1 more" in text(signed_in(ada).get(listing))
    one = text(signed_in(ada).get(reverse("admin:masking_alarm_change", args=[alarm.pk])))
    assert "asked for 1 more" in one
    assert f"person={ann.pk}&amp;verb=personal.revealed" in one
    assert "&quot;asked&quot;" not in one
    settle = reverse("admin:masking_alarm_do_settle", args=[alarm.pk])
    assert signed_in(ada).get(settle).status_code == 403
    client = signed_in(pia)
    version = version_in(client, settle)
    client.post(settle, {"reason": "a recall", "record_version": version})
    alarm.refresh_from_db()
    assert (alarm.settled_by, alarm.finding) == (pia, "a recall")


def test_copy_leaves_one_further_event_linked_to_the_reveal(
    customers: list[Customer], ann: User
) -> None:
    seen = reveal(customers[0], "phone", actor=ann, reason=WHY, fresh=True)
    assert note_copied(seen.event, actor=ann, field_name="phone")
    assert note_copied(seen.event, actor=ann, field_name="phone")
    event = Event.objects.get(verb=COPIED)
    assert (event.actor, event.subject_type, event.subject_id, event.context) == (
        ann, "customers.customer", str(customers[0].pk), {"reveal": seen.event, "field": "phone"},
    )  # fmt: skip


def test_copy_without_such_a_reveal_is_refused(
    customers: list[Customer], ann: User, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = reveal(customers[0], "phone", actor=ann, reason=WHY, fresh=True)
    assert not note_copied(seen.event, actor=eve, field_name="phone")
    assert not note_copied(seen.event, actor=ann, field_name="email")
    assert not note_copied(seen.event + 999, actor=ann, field_name="phone")
    let_pass(dt.timedelta(seconds=80), monkeypatch)
    assert not note_copied(seen.event, actor=ann, field_name="phone")
    assert not Event.objects.filter(verb=COPIED).exists()


def test_copy_is_noted_by_post_from_the_shown_value(customers: list[Customer], ann: User) -> None:
    client = signed_in(ann)
    shown = client.post(address("reveal", customers[0]), POSTED)
    event = Event.objects.get(verb=REVEALED)
    where = reverse("admin:customers_customer_copied", args=[event.pk, "phone"])
    assert where in text(shown)
    assert client.get(where).status_code == 405
    assert signed_in(make_person("abe", "support")).post(where).status_code == 404
    assert client.post(where).status_code == 204
    assert Event.objects.filter(verb=COPIED).count() == 1
