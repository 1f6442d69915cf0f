"""The API as a whole: who reads its description, and that the description is right."""

import re
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from backoffice.accounts.models import User

SCHEMA = "/api/v1/schema/"
DOCS = "/api/v1/docs/"
LISTS = [
    "approvals",
    "change-requests",
    "customers",
    "imports",
    "orders",
    "payments",
    "products",
    "refunds",
    "returns",
    "sellers",
]


def described() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema


def test_schema_is_valid_and_names_every_list() -> None:
    schema = described()
    validate_schema(schema)  # type: ignore[no-untyped-call]
    lists = {path.split("/")[3] for path in schema["paths"]} - {"schema"}
    assert sorted(lists) == LISTS


def test_schema_offers_no_search_and_no_order() -> None:
    schema = described()
    parameters = {
        parameter["name"]
        for path in schema["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
    }
    assert parameters & {"search", "ordering", "email", "phone", "name", "q"} == set()


@pytest.mark.parametrize("name", LISTS)
def test_anonymous_sees_no_list(client: Client, db: None, name: str) -> None:
    response = client.get(f"/api/v1/{name}/")
    assert (response.status_code, response["Cache-Control"]) == (401, "no-store")


@pytest.mark.parametrize("name", LISTS)
def test_answers_are_json_even_for_a_browser(client: Client, oli: User, name: str) -> None:
    client.force_login(oli)
    response = client.get(f"/api/v1/{name}/", headers={"Accept": "text/html"})
    assert response.status_code in {200, 406}
    assert response["Content-Type"] == "application/json"


def test_description_is_for_staff(client: Client, eve: User, sol: User) -> None:
    assert (client.get(SCHEMA).status_code, client.get(DOCS).status_code) == (401, 302)
    client.force_login(sol)
    assert (client.get(SCHEMA).status_code, client.get(DOCS).status_code) == (403, 302)
    client.force_login(eve)
    assert (client.get(SCHEMA).status_code, client.get(DOCS).status_code) == (200, 200)


def test_page_of_the_description_has_no_inline_script_or_style(client: Client, eve: User) -> None:
    client.force_login(eve)
    html = client.get(DOCS).content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?://", html) == []


def test_root_lists_the_addresses(client: Client, eve: User) -> None:
    assert client.get("/api/v1/").status_code == 401
    client.force_login(eve)
    assert sorted(client.get("/api/v1/").json()) == LISTS
