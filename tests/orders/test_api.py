"""Orders and returns in the API."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from orders.models import Charge, Order, Return, ReturnLine
from sellers.models import Seller
from tests.factories import AT, make_customer, make_line, make_order

ORDERS = "/api/v1/orders/"
RETURNS = "/api/v1/returns/"


@pytest.fixture
def order(sol: User, sam: User) -> Order:
    """An order of two shops: £10.00 at sol's, £25.00 at sam's, £4.50 postage."""
    order = make_order(customer=make_customer(number="12417", name="Anna Almeida"))
    make_line(order, 1000, position=1, seller=Seller.objects.get(code="sol-shop"))
    make_line(order, 2500, position=2, seller=Seller.objects.get(code="sam-shop"))
    Charge.objects.create(order=order, code="POST", quantity=1, source_price=4.5, total_minor=450)
    Order.objects.filter(pk=order.pk).update(total_minor=3950)
    return order


def cancel(client: Client, order: Order, **body: str) -> tuple[int, dict[str, Any]]:
    response = client.post(
        f"{ORDERS}{order.number}/cancel/", json.dumps(body), content_type="application/json"
    )
    return response.status_code, response.json()


def test_staff_get_the_whole_order(client: Client, eve: User, order: Order) -> None:
    client.force_login(eve)
    body = client.get(f"{ORDERS}{order.number}/").json()
    assert (body["customer"], body["total_minor"], body["currency"]) == ("12417", 3950, "GBP")
    assert [(line["seller"], line["total_minor"]) for line in body["lines"]] == [
        ("sol-shop", 1000),
        ("sam-shop", 2500),
    ]
    assert [(charge["code"], charge["total_minor"]) for charge in body["charges"]] == [
        ("POST", 450)
    ]


@pytest.mark.parametrize("address", ["", "{}/"])
def test_shop_gets_its_own_lines_and_neither_buyer_nor_whole(
    client: Client, sol: User, order: Order, address: str
) -> None:
    client.force_login(sol)
    response = client.get(ORDERS + address.format(order.number))
    body = response.json()
    shown = body["results"][0] if "results" in body else body
    assert set(shown) == {"number", "placed_at", "country", "status", "currency", "lines"}
    assert [line["seller"] for line in shown["lines"]] == ["sol-shop"]
    told = response.content.decode()
    assert [word for word in ("12417", "2500", "3950", "sam-shop", "POST") if word in told] == []


def test_order_of_other_shops_does_not_exist_for_a_shop(
    client: Client, sol: User, sam: User
) -> None:
    other = make_order(2500, seller=Seller.objects.get(code="sam-shop"))
    client.force_login(sol)
    assert client.get(f"{ORDERS}{other.number}/").status_code == 404
    assert client.get(ORDERS).json()["count"] == 0


def test_shop_cannot_ask_for_the_orders_of_a_buyer(client: Client, sol: User, order: Order) -> None:
    client.force_login(sol)
    assert client.get(f"{ORDERS}?customer=12417").status_code == 403


def test_person_of_two_worlds_keeps_the_narrow_view(
    client: Client, sol: User, order: Order
) -> None:
    client.force_login(sol)
    assert cancel(client, order, reason="Mine")[0] == 403
    assert client.get(RETURNS).status_code == 403


@pytest.mark.parametrize(
    ("person", "status"), [("eve", 200), ("oli", 200), ("nia", 200), ("ada", 200), ("gus", 403)]
)
def test_orders_open_by_role(
    client: Client, request: pytest.FixtureRequest, person: str, status: int
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert client.get(ORDERS).status_code == status


def test_customer_filter_finds_whole_numbers(client: Client, eve: User, order: Order) -> None:
    make_order(100)
    client.force_login(eve)
    found = client.get(f"{ORDERS}?customer=12417").json()["results"]
    assert [row["number"] for row in found] == [order.number]
    assert client.get(f"{ORDERS}?customer=1241").json()["count"] == 0


def test_support_cancels_with_a_reason(client: Client, eve: User, order: Order) -> None:
    client.force_login(eve)
    status, body = cancel(client, order, reason="Ordered twice")
    assert (status, body["status"]) == (200, "cancelled")
    event = Event.objects.get(verb="orders.cancelled")
    assert (event.actor, event.reason) == (eve, "Ordered twice")


def test_cancel_needs_a_reason(client: Client, eve: User, order: Order) -> None:
    client.force_login(eve)
    assert cancel(client, order)[0] == 400
    assert cancel(client, order, reason="  ")[0] == 400
    assert Order.objects.get(pk=order.pk).status == Order.Status.PAID


def test_shipped_order_stays(client: Client, eve: User) -> None:
    order = make_order(100, status=Order.Status.SHIPPED)
    client.force_login(eve)
    status, answer = cancel(client, order, reason="Too late")
    assert (status, answer) == (
        400,
        {"non_field_errors": ["An order that is “Shipped” cannot become “Cancelled”."]},
    )


@pytest.mark.parametrize("person", ["max_", "nia", "ada", "kim", "gus"])
def test_cancel_needs_the_right(
    client: Client, request: pytest.FixtureRequest, order: Order, person: str
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert cancel(client, order, reason="No right")[0] == 403
    assert Order.objects.get(pk=order.pk).status == Order.Status.PAID


def test_cancel_is_no_get(client: Client, eve: User, order: Order) -> None:
    client.force_login(eve)
    assert client.get(f"{ORDERS}{order.number}/cancel/").status_code == 405


def test_return_names_its_order(client: Client, eve: User, order: Order) -> None:
    line = order.lines.get(position=1)
    back = Return.objects.create(
        number="C536379", order=order, customer=order.customer, returned_at=AT, total_minor=-1000
    )
    ReturnLine.objects.create(
        parent=back,
        order_line=line,
        position=1,
        product=line.product,
        quantity=-1,
        source_price=10,
        total_minor=-1000,
    )
    client.force_login(eve)
    body = client.get(f"{RETURNS}C536379/").json()
    assert (body["order"], body["customer"], body["total_minor"]) == (order.number, "12417", -1000)
    assert [line["quantity"] for line in body["lines"]] == [-1]


@pytest.mark.parametrize("rows", [1, 3])
def test_list_costs_the_same_queries(
    client: Client, eve: User, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for _ in range(rows):
        make_order(100, 200, customer=make_customer())
    client.force_login(eve)
    client.get(ORDERS)
    with django_assert_num_queries(10):
        assert len(client.get(ORDERS).json()["results"]) == rows
