"""simple-history keeps the clear value in its rows, and shows it as little as the row does."""

import pytest
from django.core import serializers

from backoffice.audit.services import save_with_history
from backoffice.masking import whole
from backoffice.masking.values import unseal
from backoffice.site import diffs
from customers.models import Customer
from tests.masking.conftest import EMAIL, NAME, PHONE, leaks

NEW_PHONE = "+82 10-7777-0199"


@pytest.fixture
def customer(db: None) -> Customer:
    made = Customer.objects.create(number="12437", name=NAME, email=EMAIL, phone=PHONE)
    row = Customer.objects.get(pk=made.pk)
    row.phone = NEW_PHONE
    save_with_history(row, actor=None, reason="typo")
    return row


def test_rows_of_history_show_masks(customer: Customer) -> None:
    rows = list(Customer.history.all())
    assert [row.phone for row in rows] == ["••• ••• ••• 99", "••• ••• ••• 99"]
    assert leaks([vars(row) for row in rows]) == []
    assert leaks(list(Customer.history.values())) == []
    assert leaks([str(row) for row in rows]) == []
    assert leaks(vars(rows[0].instance)) == []
    assert leaks(serializers.serialize("json", rows)) == []


def test_rows_of_history_keep_the_clear_value(customer: Customer) -> None:
    new, old = Customer.history.order_by("-history_id")
    assert (unseal(old.phone), unseal(new.phone)) == (PHONE, NEW_PHONE)


def test_change_that_the_mask_hides_is_still_a_change(customer: Customer) -> None:
    new, old = Customer.history.order_by("-history_id")
    (change,) = new.diff_against(old).changes
    assert (change.field, change.old, change.new) == ("phone", "••• ••• ••• 99", "••• ••• ••• 99")
    assert leaks([change, repr(change)]) == []


def test_page_of_the_history_tells_the_change_that_the_mask_hides(customer: Customer) -> None:
    new, old = Customer.history.order_by("-history_id")
    (change,) = diffs.changes(new, old, [Customer._meta.get_field("phone")])
    assert (change.masked, leaks([change.old, change.new])) == (True, [])
    assert diffs.changes(new, new, [Customer._meta.get_field("phone")]) == []


def test_old_version_can_be_put_back(customer: Customer) -> None:
    old = Customer.history.order_by("history_id").first()
    old.instance.save()
    row = Customer.objects.get(pk=customer.pk)
    assert unseal(row.phone) == PHONE
    assert Customer.objects.filter(phone=whole(PHONE)).exists()


def test_most_recent_and_as_of_show_masks(customer: Customer) -> None:
    assert leaks(vars(customer.history.most_recent())) == []
    when = Customer.history.latest("history_date").history_date
    assert leaks([vars(row) for row in Customer.history.as_of(when)]) == []


def test_history_is_found_by_whole_values_only(customer: Customer) -> None:
    assert Customer.history.filter(phone=whole(PHONE)).count() == 1


def test_history_has_no_reveal_permission_of_its_own() -> None:
    names = dict(Customer.history.model._meta.permissions)
    assert [name for name in names if name.startswith("reveal")] == []
