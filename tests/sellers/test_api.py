"""Sellers and products in the API: a shop's people meet their own shop only."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from sellers.models import Product, Seller

PRODUCTS = "/api/v1/products/"
SELLERS = "/api/v1/sellers/"
MUG = {"code": "21844", "name": "RETRO SPOT MUG", "price_minor": 295}


def shop(code: str) -> Seller:
    return Seller.objects.get(code=code)


def make_product(shop_code: str, **values: Any) -> Product:
    return Product.objects.create(
        **{"seller": shop(shop_code), "name": "MUG", "code": "1", **values}
    )


def send(client: Client, method: str, address: str, **body: Any) -> tuple[int, dict[str, Any]]:
    response = getattr(client, method)(
        address, json.dumps(body), content_type="application/json", headers={"If-Match": "*"}
    )
    return response.status_code, response.json()


def test_shop_sees_its_own_products_only(client: Client, sol: User, sam: User) -> None:
    mine = make_product("sol-shop", code="A")
    other = make_product("sam-shop", code="B")
    client.force_login(sol)
    found = client.get(PRODUCTS).json()["results"]
    assert [(row["id"], row["seller"]) for row in found] == [(mine.pk, "sol-shop")]
    assert client.get(f"{PRODUCTS}{other.pk}/").status_code == 404
    assert client.get(f"{PRODUCTS}?seller=sam-shop").json()["results"] == []


def test_shop_registers_in_its_own_shop(client: Client, sol: User) -> None:
    client.force_login(sol)
    status, body = send(client, "post", PRODUCTS, **MUG)
    assert (status, body["seller"], body["price_minor"]) == (201, "sol-shop", 295)
    product = Product.objects.get()
    assert (product.seller.code, product.history.latest().history_user) == ("sol-shop", sol)
    assert Event.objects.get(verb="sellers.product_registered").actor == sol


def test_shop_cannot_register_elsewhere(client: Client, sol: User, sam: User) -> None:
    client.force_login(sol)
    assert send(client, "post", PRODUCTS, seller="sam-shop", **MUG)[0] == 404
    assert not Product.objects.exists()


def test_shop_cannot_change_anothers_product(client: Client, sol: User, sam: User) -> None:
    other = make_product("sam-shop")
    client.force_login(sol)
    assert send(client, "patch", f"{PRODUCTS}{other.pk}/", name="MINE")[0] == 404
    assert Product.objects.get().name == "MUG"


def test_product_stays_with_its_shop(client: Client, sol: User, sam: User) -> None:
    mine = make_product("sol-shop")
    client.force_login(sol)
    assert send(client, "patch", f"{PRODUCTS}{mine.pk}/", seller="sam-shop")[0] == 400
    assert Product.objects.get().seller.code == "sol-shop"


def test_change_keeps_what_was_not_sent(client: Client, sol: User) -> None:
    mine = make_product("sol-shop", category="Kitchen", price_minor=100)
    client.force_login(sol)
    status, body = send(client, "patch", f"{PRODUCTS}{mine.pk}/", name="CUP")
    assert (status, body["name"], body["category"], body["price_minor"]) == (
        200,
        "CUP",
        "Kitchen",
        100,
    )


@pytest.mark.parametrize(
    "wrong",
    [{"price_minor": -1}, {"currency": "pounds"}, {"status": "gone"}, {"code": ""}, {"name": ""}],
)
def test_wrong_value_is_refused_by_name(client: Client, sol: User, wrong: dict[str, Any]) -> None:
    client.force_login(sol)
    status, answer = send(client, "post", PRODUCTS, **(MUG | wrong))
    assert (status, list(answer)) == (400, list(wrong))
    assert not Product.objects.exists()


def test_code_that_is_taken_is_refused(client: Client, sol: User) -> None:
    make_product("sol-shop", code="21844")
    client.force_login(sol)
    status, answer = send(client, "post", PRODUCTS, **MUG)
    assert (status, answer) == (400, {"code": ["Your shop has a product with this code."]})


def test_code_of_another_shop_is_free(client: Client, sol: User, sam: User) -> None:
    make_product("sam-shop", code="21844")
    client.force_login(sol)
    assert send(client, "post", PRODUCTS, **MUG)[0] == 201


def test_ops_registers_for_the_shop_it_names(client: Client, oli: User, sol: User) -> None:
    client.force_login(oli)
    assert send(client, "post", PRODUCTS, **MUG)[0] == 400
    assert send(client, "post", PRODUCTS, seller="none", **MUG)[0] == 404
    assert send(client, "post", PRODUCTS, seller="sol-shop", **MUG)[0] == 201


@pytest.mark.parametrize("person", ["eve", "max_", "nia", "ada", "kim", "gus"])
def test_registering_needs_the_right(
    client: Client, request: pytest.FixtureRequest, sol: User, person: str
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert send(client, "post", PRODUCTS, seller="sol-shop", **MUG)[0] == 403
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("person", "status"), [("eve", 200), ("kim", 200), ("sol", 403), ("gus", 403)]
)
def test_shops_open_by_role(
    client: Client, request: pytest.FixtureRequest, person: str, status: int
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert client.get(SELLERS).status_code == status


def test_shop_is_found_by_its_code(client: Client, eve: User, sol: User) -> None:
    client.force_login(eve)
    assert client.get(f"{SELLERS}sol-shop/").json()["name"] == "Sol Shop"


@pytest.mark.parametrize("rows", [1, 3])
def test_list_costs_the_same_queries(
    client: Client, sol: User, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for number in range(rows):
        make_product("sol-shop", code=str(number))
    client.force_login(sol)
    client.get(PRODUCTS)
    with django_assert_num_queries(9):
        assert len(client.get(PRODUCTS).json()["results"]) == rows
