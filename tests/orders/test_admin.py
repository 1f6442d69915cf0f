"""Staff pages of orders: what is offered in which state, and what a click does."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.site.versions import version_of
from orders.models import Order
from tests.factories import make_customer, make_order

Status = Order.Status


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def offers(user: User, order: Order) -> set[str]:
    """Return the actions that the order page offers to the person."""
    shown = client_of(user).get(reverse("admin:orders_order_change", args=[order.pk]))
    names = ("cancel", "ship", "deliver")
    return {name for name in names if f"/do/{name}/" in shown.content.decode()}


def do(user: User, action: str, order: Order, **values: str) -> int:
    address = reverse(f"admin:orders_order_do_{action}", args=[order.pk])
    data = {"record_version": version_of(order), **values}
    return client_of(user).post(address, data).status_code


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.PLACED, {"cancel"}),
        (Status.PAID, {"cancel", "ship"}),
        (Status.SHIPPED, {"deliver"}),
        (Status.DELIVERED, set()),
        (Status.CANCELLED, set()),
    ],
)
def test_page_offers_what_the_state_allows(eve: User, status: str, expected: set[str]) -> None:
    assert offers(eve, make_order(1_000, status=status)) == expected


def test_person_without_the_right_is_offered_nothing_and_refused(nia: User) -> None:
    order = make_order(1_000)
    assert offers(nia, order) == set()
    assert do(nia, "cancel", order, reason="Because") == 403
    order.refresh_from_db()
    assert order.status == Status.PAID


def test_agent_cancels_with_a_reason(eve: User) -> None:
    order = make_order(1_000)
    assert do(eve, "cancel", order, reason="") == 400
    assert do(eve, "cancel", order, reason="Ordered twice") == 302
    order.refresh_from_db()
    assert order.status == Status.CANCELLED


def test_order_is_shipped_and_delivered_by_clicks(eve: User) -> None:
    order = make_order(1_000)
    assert do(eve, "ship", order) == 302
    order.refresh_from_db()
    assert do(eve, "deliver", order) == 302
    order.refresh_from_db()
    assert order.status == Status.DELIVERED


def test_posting_the_page_itself_changes_nothing(eve: User) -> None:
    order = make_order(1_000)
    address = reverse("admin:orders_order_change", args=[order.pk])
    assert client_of(eve).post(address, {"status": "cancelled"}).status_code == 403
    order.refresh_from_db()
    assert order.status == Status.PAID


def test_list_shows_masked_names_and_asks_a_constant_number_of_queries(eve: User) -> None:
    client, address = client_of(eve), reverse("admin:orders_order_changelist")
    make_order(1_000, customer=make_customer(name="Clara Lindqvist"))
    client.get(address)
    with CaptureQueriesContext(connection) as one:
        client.get(address)
    for _ in range(2):
        make_order(1_000, customer=make_customer(name="Vera Novak"))
    with CaptureQueriesContext(connection) as three:
        shown = client.get(address).content.decode()
    assert len(one) == len(three)
    assert "Clara" not in shown
    assert "C•••" in shown


def test_order_without_customer_and_payment_has_a_page(eve: User) -> None:
    order = make_order(1_000)
    address = reverse("admin:orders_order_change", args=[order.pk])
    shown = client_of(eve).get(address).content.decode()
    assert "No customer" in shown
    assert "nothing can be refunded here" in shown
