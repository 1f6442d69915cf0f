"""Typed reasons can be erased; who did what stays, and the chain with it."""

import pytest

from backoffice.accounts.models import User
from backoffice.audit import chain, verbs
from backoffice.audit.models import Event, EventReason, Seal
from backoffice.audit.services import erase_reasons, record, save_with_history
from backoffice.audit.verify import verify
from customers.models import Customer


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer.objects.create(number="17850")


def test_reason_stands_beside_the_event_with_a_hash_of_its_own(
    eve: User, customer: Customer
) -> None:
    one, two = (
        record(verbs.CHANGED, actor=eve, subject=customer, reason="Moved") for _ in range(2)
    )
    assert (one.reason, one.typed.text) == ("Moved", "Moved")
    assert chain.reason_hash(one.typed.salt, "Moved") == one.reason_hash
    assert one.reason_hash != two.reason_hash  # salted: equal texts cannot be told from hashes


def test_event_without_a_reason_has_no_row_for_one(eve: User) -> None:
    event = record(verbs.CHANGED, actor=eve)
    assert (event.reason, event.reason_hash, EventReason.objects.count()) == ("", "", 0)


def test_list_with_reasons_is_one_query(
    eve: User, django_assert_num_queries: pytest.FixtureDef[object]
) -> None:
    for text in ("a", "b", ""):
        record(verbs.CHANGED, actor=eve, reason=text)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert [event.reason for event in Event.objects.all()] == ["", "b", "a"]


def test_erasing_empties_what_was_typed_about_the_record_and_nothing_else(
    eve: User, kim: User, customer: Customer
) -> None:
    other = Customer.objects.create(number="2")
    record(verbs.CHANGED, actor=eve, subject=customer, reason="Ms Keller called")
    record(verbs.CHANGED, actor=eve, subject=other, also=[customer], reason="Keller moved in")
    kept = record(verbs.CHANGED, actor=eve, subject=other, reason="Wrote in")
    chain.seal()
    assert erase_reasons(customer, actor=kim, reason="Request 12") == 2
    told = Event.objects.get(verb=verbs.REASONS_ERASED)
    assert (told.actor, told.subject_id, told.reason) == (kim, str(customer.pk), "Request 12")
    assert told.context == {"reasons": 2}
    assert [event.reason for event in Event.objects.exclude(pk=told.pk)] == [
        "Wrote in",
        "(erased)",
        "(erased)",
    ]
    texts = EventReason.objects.values_list("text", "salt").order_by("pk")
    assert list(texts[:2]) == [("", ""), ("", "")]
    assert Event.objects.get(pk=kept.pk).reason == "Wrote in"


def test_chain_verifies_after_erasing(eve: User, kim: User, customer: Customer) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer, reason="Ms Keller called")
    chain.seal()
    before = chain.head()
    erase_reasons(customer, actor=kim)
    chain.seal()
    report = verify()
    assert (report.problems, report.erased, report.checked) == ([], 1, 2)
    assert Seal.objects.get(pk=before.position).hash == before.hash


def test_erasing_again_finds_nothing(eve: User, kim: User, customer: Customer) -> None:
    record(verbs.CHANGED, actor=eve, subject=customer, reason="Ms Keller called")
    assert [erase_reasons(customer, actor=kim) for _ in range(2)] == [1, 0]


def test_erasing_reaches_the_reasons_in_the_change_history(
    eve: User, kim: User, customer: Customer
) -> None:
    save_with_history(customer, actor=eve, reason="Ms Keller called")
    erase_reasons(customer, actor=kim)
    assert not customer.history.exclude(history_change_reason=None).exists()
