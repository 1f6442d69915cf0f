import pytest
from django.db.models import ProtectedError
from django.test import Client

from backoffice.accounts.models import User
from backoffice.audit import context, verbs
from backoffice.audit.models import Event, Outcome
from backoffice.audit.services import PersonalValueError, record, save_with_history
from customers.models import Customer
from tests.people import PASSWORD


def test_record_names_person_subject_reason_and_origin(ann: User) -> None:
    customer = Customer.objects.create(number="17850")
    with context.origin(context.Origin("request-1", "192.0.2.1", "abc")):
        event = record(
            verbs.CHANGED, actor=ann, subject=customer, reason="asked", context={"fields": ["name"]}
        )
    event.refresh_from_db()
    assert (event.actor, event.verb, event.outcome) == (ann, "record.changed", Outcome.DONE)
    assert (event.subject_type, event.subject_id) == ("customers.customer", str(customer.pk))
    assert (event.request_id, event.address, event.session) == ("request-1", "192.0.2.1", "abc")
    assert (event.reason, event.context) == ("asked", {"fields": ["name"]})
    assert list(Event.objects.about(customer)) == [event]


def test_record_refuses_an_unknown_verb(ann: User) -> None:
    with pytest.raises(verbs.UnknownVerbError):
        record("record.chnaged", actor=ann)
    assert not Event.objects.filter(verb="record.chnaged").exists()


@pytest.mark.parametrize("value", ["a•••", {"old": "a•••"}, ["x", ["a•••"]]])
def test_record_refuses_masked_values_in_its_context(ann: User, value: object) -> None:
    with pytest.raises(PersonalValueError):
        record(verbs.CHANGED, actor=ann, context={"value": value})


def test_verb_registered_twice_with_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="already"):
        verbs.register(verbs.CHANGED, "Something else")


def test_actor_of_an_event_cannot_be_deleted(ann: User) -> None:
    record(verbs.CHANGED, actor=ann)
    with pytest.raises(ProtectedError):
        ann.delete()


def test_save_with_history_names_actor_and_reason_outside_a_request(ann: User) -> None:
    customer = Customer(number="12437")
    save_with_history(customer, actor=ann, reason="typed in")
    row = customer.history.get()
    assert (row.history_user, row.history_change_reason) == (ann, "typed in")


def test_sign_in_failure_and_sign_out_are_recorded(ann: User) -> None:
    client = Client()
    client.login(username="ann", password="wrong")
    client.login(username="ann", password=PASSWORD)
    client.logout()
    events = Event.objects.order_by("id").values_list("verb", "outcome", "subject_id")
    assert list(events) == [
        ("session.sign_in_failed", "refused", str(ann.pk)),
        ("session.signed_in", "done", str(ann.pk)),
        ("session.signed_out", "done", str(ann.pk)),
    ]


def test_answers_carry_the_request_id_and_are_not_stored(client: Client, db: None) -> None:
    response = client.get("/admin/login/", headers={"X-Request-ID": "abcdef-12345"})
    assert response["X-Request-ID"] == "abcdef-12345"
    assert "no-store" in response["Cache-Control"]


def test_a_strange_request_id_is_replaced(client: Client, db: None) -> None:
    response = client.get("/admin/login/", headers={"X-Request-ID": "<script>alert(1)</script>"})
    assert len(response["X-Request-ID"]) == 32


def test_event_about_several_records_is_found_by_each(ann: User) -> None:
    one, two, three = (Customer.objects.create(number=number) for number in "123")
    event = record(verbs.CHANGED, actor=ann, subject=one, also=[two, three])
    record(verbs.CHANGED, actor=ann, subject=Customer.objects.create(number="4"))
    for customer in (one, two, three):
        assert list(Event.objects.about(customer)) == [event]
    assert list(event.further.order_by("position").values_list("subject_id", flat=True)) == [
        str(two.pk),
        str(three.pk),
    ]


def test_events_about_any_kind_are_found_by_key(ann: User) -> None:
    event = record(verbs.CHANGED, actor=ann, subject=ann)
    assert list(Event.objects.concerning("", [str(ann.pk)])) == [event]
    assert not Event.objects.concerning("customers.customer", [str(ann.pk)]).exists()


def test_event_in_the_name_of_another_names_who_really_acts(ann: User, kim: User) -> None:
    with context.origin(context.Origin("request-1")), context.in_the_name_of_another(kim.pk):
        event = record(verbs.CHANGED, actor=ann)
    plain = record(verbs.CHANGED, actor=ann)
    assert (event.actor, event.real_actor, event.request_id) == (ann, kim, "request-1")
    assert (plain.real_actor, plain.request_id) == (None, "")


def test_person_who_really_acted_cannot_be_deleted(ann: User, kim: User) -> None:
    with context.in_the_name_of_another(kim.pk):
        record(verbs.CHANGED, actor=ann)
    with pytest.raises(ProtectedError):
        kim.delete()
