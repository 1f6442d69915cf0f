"""What a person takes out of a list: which columns, and the same rows by whichever way."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils.html import format_html

from backoffice.accounts.models import User
from backoffice.money import Money
from backoffice.site import Badge, staff_site
from backoffice.site.extracts import Extract, offers, plain
from backoffice.site.models import ColumnChoice
from customers.models import Customer
from orders.models import Order
from tests.clients import signed_in
from tests.factories import make_customer, make_order

LIST = "/admin/customers/customer/"
ORDERS = "/admin/orders/order/"
pytestmark = pytest.mark.django_db


def rows(client: Client, where: str = LIST, **posted: Any) -> list[list[str]]:
    answer = client.post(f"{where}export/", {"format": "csv", **posted})
    assert answer.status_code == 200
    return list(csv.reader(StringIO(answer.getvalue().decode("utf-8-sig"), newline="")))


def test_columns_of_the_list_are_the_usual_ones(kim: User) -> None:
    make_customer(number="7", country="PT")
    shown = [column.label for column in offers_of(kim) if column.usual]
    assert rows(signed_in(kim))[0] == shown
    page = f"{staff_site.name}:customers.customer"
    ColumnChoice.objects.create(user=kim, page=page, columns=["number", "country"])
    assert rows(signed_in(kim)) == [["Number", "Country"], ["7", "PT"]]


def offers_of(user: User, model: Any = Customer) -> list[Any]:
    request = RequestFactory().get("/")
    request.user = user
    return offers(staff_site._registry[model], request)


def test_chosen_columns_come_in_the_order_of_the_list(kim: User) -> None:
    make_customer(number="7", country="PT")
    assert rows(signed_in(kim), column=["country", "number"])[0] == ["Number", "Country"]


@pytest.mark.parametrize("name", ["email_index", "orders__number", "pk", "delete", "history"])
def test_what_is_not_offered_is_refused(kim: User, name: str) -> None:
    answer = signed_in(kim).post(f"{LIST}export/", {"format": "csv", "column": ["number", name]})
    assert answer.status_code == 400


def test_column_behind_a_right_is_neither_offered_nor_written(kim: User) -> None:
    page = staff_site._registry[Customer]
    guarded = [column for column in page.page_columns if column.permission]
    assert guarded
    names = {column.name for column in guarded}
    for group in kim.groups.all():
        for column in guarded:
            group.permissions.filter(codename=column.permission.partition(".")[2]).delete()
    fresh = User.objects.get(pk=kim.pk)
    assert names.isdisjoint(one.name for one in offers_of(fresh))
    posted = {"format": "csv", "column": sorted(names)}
    assert signed_in(fresh).post(f"{LIST}export/", posted).status_code == 400


def test_computed_columns_of_pages_are_written(kim: User) -> None:
    make_customer(number="7")
    computed = [column.name for column in staff_site._registry[Customer].page_columns]
    head, line = rows(signed_in(kim), column=["number", *computed])
    assert len(head) == len(line) == 1 + len(computed)


def test_tuples_and_objects_tell_the_same(kim: User) -> None:
    """Rows that need no object, read both ways."""
    make_order(1000)
    page = staff_site._registry[Order]
    request = RequestFactory().get("/")
    request.user = kim
    found = page.get_queryset(request)
    for as_words in (True, False):
        extract = Extract(page, request, found, page.export_fields, as_words=as_words)
        assert None not in extract.fields
        assert [list(row) for row in extract._tuples()] == [list(row) for row in extract._objects()]


def test_states_leave_as_words_or_as_they_are_stored(kim: User) -> None:
    order = make_order(1000)
    client = signed_in(kim)
    assert rows(client, ORDERS, column=["status"])[1] == [order.get_status_display()]
    assert rows(client, ORDERS, column=["status"], stored="1")[1] == [order.status]


def test_json_has_names_of_fields_and_kinds_of_values(kim: User) -> None:
    order = make_order(1234)
    posted = {"format": "json", "column": ["number", "total_minor", "placed_at"]}
    (line,) = json.loads(signed_in(kim).post(f"{ORDERS}export/", posted).getvalue())
    at = order.placed_at.isoformat()
    assert line == {"number": order.number, "placed_at": at, "total_minor": 1234}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (Money(1234, "GBP"), Money(1234, "GBP").amount),
        (Badge("done", "Sent & paid"), "Sent & paid"),
        (format_html("<b>{}</b> <i>{}</i>", "a<b", "&"), "a<b &"),
        (7, 7),
        (True, True),
    ],
)
def test_value_is_what_a_file_holds(value: object, told: object) -> None:
    assert plain(value) == told
