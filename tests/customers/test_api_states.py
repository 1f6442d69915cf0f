"""Writes of the API rest on a state: If-Match, and what GET gave put back leaves the row alone."""

import json
import threading
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from backoffice.accounts.models import User
from customers.models import Customer
from tests.factories import make_customer

WHERE = "/api/v1/customers/12417/"
CLEAR = {"name": "Anna Almeida", "email": "anna@example.com", "phone": "+351 210 555 0111"}


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer(number="12417", country="Belgium", **CLEAR)


def write(
    client: Client, method: str, body: Any, etag: str | None = None, where: str = WHERE
) -> Any:
    headers = {} if etag is None else {"If-Match": etag}
    send = getattr(client, method)
    return send(where, json.dumps(body), content_type="application/json", headers=headers)


def raw_rows(table: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}" ORDER BY 1')  # noqa: S608 - our own table names
        return list(cursor.fetchall())


def test_what_was_read_put_back_leaves_every_byte(
    client: Client, eve: User, customer: Customer
) -> None:
    client.force_login(eve)
    tables = ("customers_customer", "customers_historicalcustomer")
    before = [raw_rows(table) for table in tables]
    assert CLEAR["email"] in str(before)
    read = client.get(WHERE)
    assert "•" in read.json()["email"]
    answer = write(client, "put", read.json(), read["ETag"])
    assert (answer.status_code, answer.json()) == (200, read.json())
    assert answer["ETag"] == read["ETag"]
    assert [raw_rows(table) for table in tables] == before


@pytest.mark.parametrize("method", ["put", "patch"])
def test_write_without_a_state_is_428_and_with_an_old_one_412(
    client: Client, eve: User, customer: Customer, method: str
) -> None:
    client.force_login(eve)
    read = client.get(WHERE)
    body = read.json() | {"name": "Anna Costa", "reason": "Married"}
    before = raw_rows("customers_customer")
    assert write(client, method, body).status_code == 428
    for old in ('"nonsense"', f"W/{read['ETag']}", "nonsense", ""):
        assert write(client, method, body, old).status_code == 412
    assert raw_rows("customers_customer") == before
    answer = write(client, method, body, read["ETag"])
    assert answer.status_code == 200
    assert answer["ETag"] == client.get(WHERE)["ETag"] != read["ETag"]
    assert write(client, method, body, read["ETag"]).status_code == 412
    assert write(client, method, body, f'"x", {answer["ETag"]}').status_code == 200


def test_change_behind_an_equal_mask_is_a_change(
    client: Client, eve: User, customer: Customer
) -> None:
    client.force_login(eve)
    read = client.get(WHERE)
    answer = write(
        client, "patch", {"phone": "+351 999 999 9911", "reason": "New number"}, read["ETag"]
    )
    assert answer.json()["phone"] == read.json()["phone"]
    assert answer["ETag"] != read["ETag"]


def test_star_matches_any_state(client: Client, eve: User, customer: Customer) -> None:
    client.force_login(eve)
    assert (
        write(client, "patch", {"name": "Anna Costa", "reason": "Married"}, "*").status_code == 200
    )


def test_put_wants_the_whole_record(client: Client, eve: User, customer: Customer) -> None:
    client.force_login(eve)
    answer = write(client, "put", {"name": "Anna Costa"}, "*")
    assert answer.status_code == 400
    assert set(answer.json()) <= {"email", "phone", "address", "born", "bank_account"}


def test_state_is_told_to_nobody_who_may_not_look(
    client: Client, gus: User, customer: Customer
) -> None:
    client.force_login(gus)
    answer = write(client, "patch", {}, '"x"')
    assert (answer.status_code, "ETag" in answer) == (403, False)


def test_answers_of_the_api_are_never_not_modified(
    client: Client, eve: User, customer: Customer
) -> None:
    client.force_login(eve)
    etag = client.get(WHERE)["ETag"]
    answer = client.get(WHERE, headers={"If-None-Match": etag})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_told(eve: User, customer: Customer) -> None:
    client = Client()
    client.force_login(eve)
    etag = client.get(WHERE)["ETag"]
    barrier, answers = threading.Barrier(4), []

    def run(number: int) -> None:
        own = Client()
        own.cookies = client.cookies
        barrier.wait()
        answers.append(
            write(own, "patch", {"name": f"Anna {number}", "reason": "Married"}, etag).status_code
        )
        connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 412, 412, 412]
    assert Customer.objects.get().history.count() == 2


def test_new_record_tells_its_address_and_state(client: Client, sol: User) -> None:
    client.force_login(sol)
    body = {"code": "21844", "name": "RETRO SPOT MUG", "price_minor": 295}
    answer = write(client, "post", body, where="/api/v1/products/")
    assert answer.status_code == 201
    assert client.get(answer["Location"])["ETag"] == answer["ETag"]


def test_product_put_back_changes_nothing(client: Client, sol: User) -> None:
    client.force_login(sol)
    body = {"code": "21844", "name": "RETRO SPOT MUG", "price_minor": 295}
    where = write(client, "post", body, where="/api/v1/products/")["Location"]
    before = raw_rows("sellers_product"), raw_rows("sellers_historicalproduct")
    read = client.get(where)
    answer = write(client, "put", read.json(), read["ETag"], where)
    assert (answer.status_code, answer["ETag"]) == (200, read["ETag"])
    assert (raw_rows("sellers_product"), raw_rows("sellers_historicalproduct")) == before
