"""What no database keeps and no page needs: refused in words, never a 500."""

import json
from typing import Any

import pytest
from django.test import Client

from backoffice.accounts.models import User
from backoffice.site.etags import etag_of
from tests.factories import make_customer

LIST = "/api/v1/customers/"
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture
def browser(client: Client, eve: User) -> Client:
    make_customer(number="7", email="anna@example.com")
    client.force_login(eve)
    return client


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "A\\u0000B"}',
        '{"name": "\\ud800"}',
        '{"\\ud800": 1}',
        DEEP,
        '{"name": NaN}',
        '{"name": ' + "9" * 5000 + "}",
        "[1, 2]",
        '"text"',
        "null",
        "{",
        "",
        '{"reason": {"a": 1}}',
        "\xff",
    ],
)
def test_json_that_cannot_be_kept_is_a_400(browser: Client, body: str) -> None:
    answer = browser.patch(
        f"{LIST}7/",
        body.encode("latin-1"),
        content_type="application/json",
        headers={"If-Match": "*"},
    )
    assert answer.status_code in ({200} if body == "" else {400})
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("country=%00", 400),
        ("%00=1", 400),
        ("country=%ED%A0%80", 200),
        ("offset=99999999999999999999999", 200),
        ("limit=99999999999999999999999&offset=-5", 200),
        ("limit=x&offset=x", 200),
        ("format=api", 400),
    ],
)
def test_strange_parameters_are_no_error_of_ours(browser: Client, query: str, status: int) -> None:
    assert browser.get(f"{LIST}?{query}").status_code == status


@pytest.mark.parametrize("key", ["%00", "%ED%A0%80", "..%2F7", "7%00", "x" * 5000])
def test_strange_keys_are_not_there(browser: Client, key: str) -> None:
    answer = browser.get(f"{LIST}{key}/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*"])
def test_browsable_pages_of_the_api_are_not_there(browser: Client, accept: str) -> None:
    answer = browser.get(LIST, headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (406, "application/json")


def test_form_is_not_read(browser: Client) -> None:
    answer = browser.patch(
        f"{LIST}7/", "name=Anna", content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code in {415, 428}


def test_address_that_is_none_is_a_404_in_json(browser: Client) -> None:
    answer: Any = browser.get("/api/v1/no/such/")
    assert (answer.status_code, json.loads(answer.content)) == (404, {"detail": "Not found."})


def test_tag_tells_states_apart_that_look_the_same(db: None) -> None:
    customer = make_customer(number="7", email="anna@example.com")
    before = etag_of(customer, {"email": "a•••"})
    customer.email = "anne@example.com"
    customer.save()
    assert etag_of(customer, {"email": "a•••"}) != before
