"""An earlier version comes back as a new change: by who may edit, with a reason, masked."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.history import recorded
from backoffice.audit.models import Event
from backoffice.audit.services import save_with_history
from backoffice.masking import whole
from backoffice.masking.values import unseal
from backoffice.site import restoring
from backoffice.site.versions import version_of
from customers.models import Customer
from customers.services import edit_customer
from tests.clients import signed_in
from tests.factories import make_order
from tests.people import PASSWORD, allow


@pytest.fixture
def editor(eve: User) -> User:
    return allow(eve, "customers.change_customer")


@pytest.fixture
def customer(ann: User) -> Customer:
    made = Customer(number="12437", name="Anna Keller", phone="+33 1 23 45 67 18")
    save_with_history(made, actor=ann)
    made.country, made.phone = "Spain", "+33 1 99 99 99 18"
    save_with_history(made, actor=ann, reason="Moved")
    return Customer.objects.get(pk=made.pk)


def first(customer: Customer) -> Any:
    return customer.history.order_by("history_id").first()


def address(customer: Customer) -> str:
    return f"/admin/customers/customer/{customer.pk}/restore/"


def restored(client: Client, customer: Customer, **values: Any) -> int:
    dialog = client.get(address(customer), {"version": first(customer).history_id})
    hidden = getattr(dialog, "context_data", {}).get("form")
    token = hidden.fields["record_version"].initial if hidden else ""
    data = {
        "version": first(customer).history_id,
        "record_version": token,
        "reason": "Typed into the wrong record",
        "step_up_proof": PASSWORD,
        **values,
    }
    return client.post(address(customer), data).status_code


def stored(customer: Customer) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT country, phone FROM customers_customer")
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def test_values_come_back_whole_as_a_new_change(editor: User, customer: Customer) -> None:
    assert restored(signed_in(editor), customer) == 302
    assert stored(customer) == ("", "+33 1 23 45 67 18")
    newest = customer.history.order_by("-history_id").first()
    assert (newest.history_type, newest.history_user, newest.history_change_reason) == (
        "~", editor, "Typed into the wrong record",
    )  # fmt: skip
    assert customer.history.count() == 3
    assert list(Customer.objects.filter(phone=whole("+33 1 23 45 67 18"))) == [customer]


def test_it_is_on_the_record_without_a_value(editor: User, customer: Customer) -> None:
    version = first(customer).history_id
    restored(signed_in(editor), customer)
    event = Event.objects.get(verb=restoring.RESTORED)
    assert event.actor == editor
    assert event.reason == "Typed into the wrong record"
    assert event.context["version"] == version
    assert sorted(event.context["fields"]) == ["country", "phone"]
    assert not Event.objects.filter(verb="record.action_done").exists()


def test_neither_page_shows_a_value_in_clear(editor: User, customer: Customer) -> None:
    client = signed_in(editor)
    for page in (f"/admin/customers/customer/{customer.pk}/history/", address(customer)):
        text = client.get(page, {"version": first(customer).history_id}).content.decode()
        assert "23 45 67" not in text
        assert "99 99 99" not in text
        assert "Spain" in text


def test_a_reason_is_needed(editor: User, customer: Customer) -> None:
    assert restored(signed_in(editor), customer, reason=" ") == 400
    assert stored(customer)[0] == "Spain"


def test_personal_values_need_fresh_proof(editor: User, customer: Customer) -> None:
    client = signed_in(editor)
    session = client.session
    session["stepup_at"] = 0
    session.save()
    assert restored(client, customer, step_up_proof="wrong") == 400
    assert stored(customer)[0] == "Spain"


def test_who_may_not_edit_is_refused_on_the_record(gus: User, customer: Customer) -> None:
    viewer = allow(gus, "customers.view_customer")
    assert restored(signed_in(viewer), customer) == 403
    assert stored(customer)[0] == "Spain"
    assert Event.objects.filter(verb="record.action_refused", outcome="refused").exists()
    page = signed_in(viewer).get(f"/admin/customers/customer/{customer.pk}/history/")
    assert "/restore/" not in page.content.decode()


def test_version_of_another_record_is_refused(editor: User, customer: Customer) -> None:
    other = Customer.objects.create(number="9", country="Peru")
    assert restored(signed_in(editor), customer, version=first(other).history_id) == 400
    assert stored(customer)[0] == "Spain"


def test_record_that_changed_meanwhile_is_left_alone(editor: User, customer: Customer) -> None:
    assert restored(signed_in(editor), customer, record_version="h1") == 409


def test_getting_the_address_changes_nothing(editor: User, customer: Customer) -> None:
    signed_in(editor).get(address(customer), {"version": first(customer).history_id})
    assert stored(customer)[0] == "Spain"


def test_states_are_not_taken_back(oli: User) -> None:
    order = make_order(100)
    order.status = order.Status.SHIPPED
    save_with_history(order, actor=oli)
    page = f"/admin/orders/order/{order.pk}/history/"
    assert "/restore/" not in signed_in(oli).get(page).content.decode()


def test_version_that_is_no_different_does_nothing(editor: User, customer: Customer) -> None:
    same = customer.history.order_by("-history_id").first()
    with pytest.raises(ValidationError):
        restoring.restore(
            customer, same, list(Customer._meta.concrete_fields), actor=editor, reason="x"
        )
    assert customer.history.count() == 2


def restore_now(customer: Customer, editor: User, **known: Any) -> list[str]:
    fields = [Customer._meta.get_field(name) for name in ("phone", "country")]
    return restoring.restore(
        customer, first(customer), fields, actor=editor, reason="Wrong record", **known
    )


def test_only_what_comes_back_is_written(editor: User, customer: Customer) -> None:
    now = Customer.objects.get(pk=customer.pk)
    now.name = "Anna Keller-Moreau"
    save_with_history(now, actor=editor, reason="Married")
    assert sorted(restore_now(customer, editor)) == ["country", "phone"]
    kept = Customer.objects.get(pk=customer.pk)
    assert unseal(kept.name) == "Anna Keller-Moreau"
    assert stored(customer) == ("", "+33 1 23 45 67 18")
    assert kept.updated_at > now.updated_at
    assert list(Customer.objects.filter(phone=whole("+33 1 23 45 67 18"))) == [kept]


def test_who_types_and_takes_back_is_stopped_soon(
    editor: User, customer: Customer, settings: Settings
) -> None:
    """Typing a guess and restoring would tell as often as one likes which guess was right."""
    settings.BACKOFFICE_PERSONAL_EDITS_PER_HOUR = 2
    restore_now(customer, editor)
    edit_customer(customer, changes={"country": "Spain"}, actor=editor)
    with pytest.raises(ValidationError, match="2 times within an hour"):
        restore_now(customer, editor)
    assert stored(customer)[0] == "Spain"


def test_columns_that_come_back_are_named_to_the_database(editor: User, customer: Customer) -> None:
    with CaptureQueriesContext(connection) as queries:
        restore_now(customer, editor)
    [written] = [
        one["sql"] for one in queries if one["sql"].startswith('UPDATE "customers_customer"')
    ]
    assert ('"phone"' in written, '"updated_at"' in written) == (True, True)
    assert ('"name"' in written, '"erased_at"' in written) == (False, False)


@pytest.mark.parametrize("what", ["erased", "merged"])
def test_nothing_comes_back_for_who_was_erased_or_merged_meanwhile(
    editor: User, customer: Customer, what: str
) -> None:
    rows = update_rows(customer)
    if what == "erased":
        rows(erased_at=timezone.now(), phone="")
    else:
        rows(merged_into=Customer.objects.create(number="9"), phone="")
    with pytest.raises(PermissionDenied):
        restore_now(customer, editor)
    assert stored(customer)[1] == ""


def update_rows(customer: Customer) -> Any:
    def write(**values: Any) -> None:
        with recorded():
            Customer.objects.filter(pk=customer.pk).update(**values)

    return write


def test_version_that_the_person_did_not_see_is_left_alone(
    editor: User, customer: Customer
) -> None:
    seen = version_of(customer)
    now = Customer.objects.get(pk=customer.pk)
    now.country = "Peru"
    save_with_history(now, actor=editor, reason="Moved")
    with pytest.raises(ValidationError):
        restore_now(customer, editor, seen=seen)
    assert stored(customer)[0] == "Peru"
    assert restore_now(customer, editor, seen=version_of(customer))


def test_history_that_was_emptied_meanwhile_brings_nothing_back(
    editor: User, customer: Customer
) -> None:
    opened = first(customer)
    Customer.history.filter(history_id=opened.history_id).update(phone="")
    fields = [Customer._meta.get_field("phone")]
    restoring.restore(customer, opened, fields, actor=editor, reason="Wrong record")
    assert stored(customer)[1] == ""
