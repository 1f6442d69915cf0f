"""Payments and refunds in the API."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from backoffice.accounts.models import User
from orders.models import Order
from payments.models import Payment, Refund
from tests.factories import make_order, make_payment
from tests.people import allow

PAYMENTS = "/api/v1/payments/"
REFUNDS = "/api/v1/refunds/"


@pytest.fixture
def payment(db: None) -> Payment:
    """A paid order of £10.00 and £25.00."""
    return make_payment(make_order(1000, 2500))


def ask(client: Client, paid: Order, **body: Any) -> tuple[int, dict[str, Any]]:
    what = {} if "parts" in body else {"amount_minor": 400}
    asked = {"order": paid.number, **what, "reason": "Broken on arrival", **body}
    response = client.post(REFUNDS, json.dumps(asked), content_type="application/json")
    return response.status_code, response.json()


def test_support_asks_for_a_refund_of_a_line(client: Client, eve: User, payment: Payment) -> None:
    client.force_login(eve)
    status, body = ask(client, payment.order, parts=[{"line": 1, "amount_minor": 400}])
    refund = Refund.objects.get()
    assert status == 201
    assert (body["number"], body["state"]) == (str(refund.number), "requested")
    part = {"line": 1, "charge": None, "quantity": None, "amount_minor": 400, "tax_minor": 0}
    assert body["parts"] == [part]
    assert (refund.requested_by, refund.amount_minor, refund.currency) == (eve, 400, "GBP")
    assert refund.approval is not None
    payment.refresh_from_db()
    assert (payment.reserved_minor, payment.refunded_minor) == (400, 0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount_minor": 0}, "amount_minor"),
        ({"amount_minor": -400}, "amount_minor"),
        ({"amount_minor": "4.00"}, "amount_minor"),
        ({"amount_minor": 3501}, "amount"),
        ({"parts": [{"line": 1, "amount_minor": 1001}]}, "amount"),
        ({"parts": [{"line": 1, "quantity": 2}]}, "quantity"),
        ({"parts": [{"line": 1}, {"line": 1}]}, "line"),
        ({"parts": [{"line": 1, "charge": "POST"}]}, "parts"),
        ({"parts": [{"line": 1}], "amount_minor": 1}, "amount_minor"),
        ({"parts": []}, "parts"),
        ({"reason": " "}, "reason"),
    ],
)
def test_refund_beyond_the_rules_holds_nothing(
    client: Client, eve: User, payment: Payment, wrong: dict[str, Any], field: str
) -> None:
    client.force_login(eve)
    status, answer = ask(client, payment.order, **wrong)
    assert (status, list(answer)) == (400, [field])
    payment.refresh_from_db()
    assert (payment.reserved_minor, Refund.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [{"order": "none"}, {"parts": [{"line": 7}]}, {"parts": [{"charge": "POST"}]}],
)
def test_refund_of_what_does_not_exist_is_a_404(
    client: Client, eve: User, payment: Payment, wrong: dict[str, Any]
) -> None:
    client.force_login(eve)
    assert ask(client, payment.order, **wrong)[0] == 404


@pytest.mark.parametrize("person", ["oli", "nia", "ada", "kim", "gus", "sol"])
def test_asking_needs_the_right(
    client: Client, request: pytest.FixtureRequest, payment: Payment, person: str
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert ask(client, payment.order)[0] == 403
    assert not Refund.objects.exists()


def test_order_outside_the_scope_does_not_exist(
    client: Client, sol: User, payment: Payment
) -> None:
    client.force_login(allow(sol, "payments.request_refund"))
    assert ask(client, payment.order)[0] == 404
    assert not Refund.objects.exists()


@pytest.mark.parametrize("address", [PAYMENTS, REFUNDS])
@pytest.mark.parametrize(
    ("person", "status"),
    [("eve", 200), ("max_", 200), ("nia", 200), ("ada", 200), ("gus", 403), ("sol", 403)],
)
def test_lists_open_by_role(
    client: Client, request: pytest.FixtureRequest, address: str, person: str, status: int
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert client.get(address).status_code == status


def test_refund_does_not_tell_its_idempotency_key(
    client: Client, eve: User, payment: Payment
) -> None:
    client.force_login(eve)
    ask(client, payment.order)
    refund = Refund.objects.get()
    told = client.get(f"{REFUNDS}{refund.number}/").content.decode()
    assert str(refund.number) in told
    assert str(refund.key) not in told


def test_refund_cannot_be_changed(client: Client, kim: User, max_: User, payment: Payment) -> None:
    client.force_login(max_)
    ask(client, payment.order)
    refund = Refund.objects.get()
    response = client.patch(
        f"{REFUNDS}{refund.number}/", '{"state": "approved"}', content_type="application/json"
    )
    assert response.status_code in {403, 405}
    refund.refresh_from_db()
    assert refund.state == Refund.State.REQUESTED


def test_payments_are_found_by_order(client: Client, eve: User, payment: Payment) -> None:
    make_payment(make_order(100))
    client.force_login(eve)
    found = client.get(f"{PAYMENTS}?order={payment.order.number}").json()["results"]
    assert [row["reference"] for row in found] == [payment.reference]
    assert client.get(f"{PAYMENTS}{payment.pk}/").json()["captured_minor"] == 3500


@pytest.mark.parametrize("rows", [1, 3])
def test_lists_cost_the_same_queries(
    client: Client, eve: User, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    client.force_login(eve)
    for _ in range(rows):
        ask(client, make_payment(make_order(1000)).order, parts=[{"line": 1}])
    for address, queries in ((PAYMENTS, 8), (REFUNDS, 10)):
        with django_assert_num_queries(queries):
            assert len(client.get(address).json()["results"]) == rows
