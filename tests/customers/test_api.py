"""Customers in the API: masks in every answer, corrections on the record."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.masking import whole
from backoffice.masking.values import unseal
from customers.models import Customer
from tests.factories import AT, make_customer

LIST = "/api/v1/customers/"
CLEAR = {"name": "Anna Almeida", "email": "anna@example.com", "phone": "+351 210 555 0111"}
# Other values that show the same masks.
OF_ONE_FACE = {"name": "Anke Aumont", "email": "anke@eriksen.com", "phone": "+351 210 555 0211"}
MASKED = {"name": "A••••• A•••••", "email": "a•••••@e•••••.com", "phone": "••• ••• ••• 11"}


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer(number="12417", country="Belgium", **CLEAR)


def clear_of(customer: Customer) -> dict[str, Any]:
    row = Customer.objects.get(pk=customer.pk)
    values = {"name": row.name, "email": row.email, "phone": row.phone}
    return {name: unseal(value) for name, value in values.items()}


def patch(client: Client, customer: Customer, **body: str) -> tuple[int, dict[str, Any]]:
    response = client.patch(
        f"{LIST}{customer.number}/",
        json.dumps(body),
        content_type="application/json",
        headers={"If-Match": "*"},
    )
    return response.status_code, response.json()


@pytest.mark.parametrize("address", [LIST, f"{LIST}12417/"])
def test_every_answer_is_masked_also_for_who_may_reveal(
    client: Client, ann: User, customer: Customer, address: str
) -> None:
    client.force_login(ann)
    response = client.get(address)
    body = response.json()
    shown = body["results"][0] if "results" in body else body
    assert {name: shown[name] for name in MASKED} == MASKED
    assert [value for value in CLEAR.values() if value in response.content.decode()] == []


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("ann", 200),
        ("eve", 200),
        ("max_", 200),
        ("oli", 200),
        ("kim", 200),
        ("ada", 200),
        ("nia", 200),
        ("gus", 403),
        ("sol", 403),
    ],
)
def test_list_opens_by_role(
    client: Client, request: pytest.FixtureRequest, person: str, status: int
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert client.get(LIST).status_code == status


@pytest.mark.parametrize("person", ["max_", "oli", "ada", "nia", "gus", "sol"])
def test_change_needs_the_right(
    client: Client, request: pytest.FixtureRequest, customer: Customer, person: str
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert patch(client, customer, phone="+32 2 555 0199")[0] == 403
    assert clear_of(customer) == CLEAR


def test_anonymous_is_refused(client: Client, customer: Customer) -> None:
    assert client.get(LIST).status_code == 401
    assert patch(client, customer, phone="+32 2 555 0199")[0] == 401


def test_person_who_left_is_refused(client: Client, eve: User) -> None:
    client.force_login(eve)
    User.objects.filter(pk=eve.pk).update(is_active=False)
    assert client.get(LIST).status_code == 401


def test_write_needs_the_csrf_token(eve: User, customer: Customer) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(eve)
    assert patch(client, customer, phone="+32 2 555 0199")[0] == 403
    assert clear_of(customer) == CLEAR


def test_answers_are_kept_by_nobody(client: Client, eve: User, customer: Customer) -> None:
    client.force_login(eve)
    for address in (LIST, f"{LIST}12417/", f"{LIST}none/", f"{LIST}?email=x"):
        assert client.get(address)["Cache-Control"] == "no-store"


def test_new_phone_is_saved_and_on_the_record(
    client: Client, eve: User, customer: Customer
) -> None:
    client.force_login(eve)
    status, body = patch(client, customer, phone="+32 2 555 0199", reason="Called from it")
    assert (status, body["phone"]) == (200, "••• ••• ••• 99")
    assert clear_of(customer) == CLEAR | {"phone": "+32 2 555 0199"}
    event = Event.objects.get(verb="record.changed")
    assert (event.actor, event.reason) == (eve, "Called from it")
    assert event.context == {"fields": ["phone"]}
    history = customer.history.latest()
    assert (history.history_user, history.history_change_reason) == (eve, "Called from it")


def test_unchanged_mask_leaves_the_value(client: Client, eve: User, customer: Customer) -> None:
    client.force_login(eve)
    shown = client.get(f"{LIST}12417/").json()
    sent = {name: shown[name] for name in MASKED} | {"name": "Anna Costa", "reason": "Married"}
    assert patch(client, customer, **sent)[0] == 200
    assert clear_of(customer) == CLEAR | {"name": "Anna Costa"}
    assert Event.objects.get(verb="record.changed").context == {"fields": ["name"]}


def test_personal_value_needs_a_reason(client: Client, eve: User, customer: Customer) -> None:
    client.force_login(eve)
    status, answer = patch(client, customer, phone="+32 2 555 0199", reason=" ")
    assert (status, list(answer)) == (400, ["reason"])
    assert clear_of(customer) == CLEAR


def test_change_that_changes_nothing_writes_nothing(
    client: Client, eve: User, customer: Customer
) -> None:
    client.force_login(eve)
    before = customer.history.count()
    shown = client.get(f"/api/v1/customers/{customer.number}/").json()
    assert patch(client, customer, **{name: shown[name] for name in CLEAR})[0] == 200
    assert (customer.history.count(), Event.objects.filter(verb="record.changed").count()) == (
        before,
        0,
    )


@pytest.mark.parametrize("name", CLEAR)
@pytest.mark.parametrize("reason", [{}, {"reason": "Wrote in"}])
def test_right_guess_is_answered_as_a_wrong_one(
    client: Client, eve: User, customer: Customer, name: str, reason: dict[str, str]
) -> None:
    """One of two customers of one face has the value that is typed."""
    other = make_customer(number="99999", country="Belgium", **{**CLEAR, name: OF_ONE_FACE[name]})
    faces = [Customer.objects.get(pk=one.pk) for one in (customer, other)]
    assert len({str(getattr(face, name)) for face in faces}) == 1
    client.force_login(eve)
    answers = []
    for one in (customer, other):
        events, rows = Event.objects.count(), one.history.count()
        status, body = patch(client, one, **{name: CLEAR[name]}, **reason)
        body = {key: told for key, told in body.items() if not key.endswith("_at")}
        body.pop("number", None)
        fresh = one.updated_at != Customer.objects.get(pk=one.pk).updated_at
        written = (Event.objects.count() - events, one.history.count() - rows, fresh)
        answers.append((status, body, written))
    assert answers[0] == answers[1]
    assert answers[0][2] == ((1, 1, True) if reason else (0, 0, False))


@pytest.mark.parametrize(
    "body",
    [
        {"phone": "••• ••• ••• 12"},
        {"name": "A••••• B"},
        {"email": "a•••••@example.com"},
        {"email": "no address"},
        {"phone": "no number"},
    ],
)
def test_mask_of_another_value_and_nonsense_are_refused(
    client: Client, eve: User, customer: Customer, body: dict[str, str]
) -> None:
    client.force_login(eve)
    status, answer = patch(client, customer, **body)
    assert (status, list(answer)) == (400, list(body))
    assert clear_of(customer) == CLEAR


def test_masks_of_the_settings_are_those_of_every_kind(
    client: Client, eve: User, settings: Settings
) -> None:
    kinds = ("name", "email", "phone", "address", "birth_date", "bank_account")
    settings.BACKOFFICE_MASKS = dict.fromkeys(kinds, "kr")
    settings.BACKOFFICE_PHONE_COUNTRY = "82"
    row = make_customer(
        number="K1",
        name="김철수",
        email="chulsoo@example.com",
        phone="010-1234-0199",
        address="서울특별시 강남구 테헤란로 1",
        born="1990-05-01",
        bank_account="110-234-567890",
    )
    client.force_login(eve)
    shown = client.get(f"{LIST}K1/").json()
    assert {name: shown[name] for name in (*MASKED, "address", "born", "bank_account")} == {
        "name": "김•수",
        "email": "ch•••••@example.com",
        "phone": "010-••••-0199",
        "address": "서울특별시 강남구 •••••",
        "born": "1990-••-••",
        "bank_account": "110-•••-••••90",
    }
    assert Customer.objects.get(phone=whole("+82 10 1234 0199")) == row


def test_number_and_country_cannot_be_changed(
    client: Client, eve: User, customer: Customer
) -> None:
    client.force_login(eve)
    patch(client, customer, number="1", country="Spain")
    row = Customer.objects.get(pk=customer.pk)
    assert (row.number, row.country) == ("12417", "Belgium")


@pytest.mark.parametrize(
    "query",
    [
        "email=anna@example.com",
        "email__in=anna@example.com",
        "phone__startswith=%2B351",
        "name=Anna+Almeida",
        "ordering=email",
        "search=anna",
        "q=anna",
    ],
)
def test_nothing_masked_can_be_searched_or_ordered(
    client: Client, eve: User, customer: Customer, query: str
) -> None:
    client.force_login(eve)
    assert client.get(f"{LIST}?{query}").status_code == 400


def test_who_was_merged_names_who_stands_for_them(client: Client, eve: User) -> None:
    top = make_customer(number="T")
    middle = make_customer(number="M", merged_into=top)
    make_customer(number="B", merged_into=middle)
    client.force_login(eve)
    shown = {row["number"]: row["merged_into"] for row in client.get(LIST).json()["results"]}
    assert shown == {"T": None, "M": "T", "B": "T"}
    read = client.get(f"{LIST}B/")
    assert (read.json()["merged_into"], read.json()["erased_at"]) == ("T", None)
    before = read["ETag"]
    Customer.objects.filter(pk=middle.pk).update(merged_into=None)
    assert client.get(f"{LIST}B/").json()["merged_into"] == "M"
    assert client.get(f"{LIST}B/")["ETag"] != before


def test_who_was_erased_is_said_and_stays_so(client: Client, eve: User) -> None:
    gone = make_customer(number="E")
    Customer.objects.filter(pk=gone.pk).update(erased_at=AT)
    client.force_login(eve)
    assert client.get(f"{LIST}E/").json()["erased_at"] == "2011-11-30T16:47:00Z"
    other = make_customer(number="O", name="Anna")
    sent = {"merged_into": "E", "erased_at": "2011-11-30T16:47:00Z", "name": "Eve", "reason": "x"}
    assert patch(client, other, **sent)[0] == 200
    row = Customer.objects.get(pk=other.pk)
    assert (row.merged_into, row.erased_at) == (None, None)


def test_country_is_a_filter(client: Client, eve: User, customer: Customer) -> None:
    make_customer(number="2", country="Spain")
    client.force_login(eve)
    found = client.get(f"{LIST}?country=Spain").json()
    assert [row["number"] for row in found["results"]] == ["2"]


def test_page_has_at_most_200_rows(client: Client, eve: User, db: None) -> None:
    Customer.objects.bulk_create([Customer(number=str(number)) for number in range(205)])
    client.force_login(eve)
    found = client.get(f"{LIST}?limit=1000").json()
    assert (len(found["results"]), found["count"]) == (200, 205)


@pytest.mark.parametrize("method", ["post", "delete"])
def test_other_verbs_do_not_exist(
    client: Client, kim: User, customer: Customer, method: str
) -> None:
    client.force_login(kim)
    address = LIST if method == "post" else f"{LIST}12417/"
    assert getattr(client, method)(address).status_code in {403, 405}
    assert Customer.objects.count() == 1


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("into", "queries"), [("", 8), ("T", 10)])
def test_list_costs_the_same_queries(
    client: Client,
    eve: User,
    django_assert_num_queries: DjangoAssertNumQueries,
    rows: int,
    into: str,
    queries: int,
) -> None:
    top = make_customer(number=into) if into else None
    for _ in range(rows):
        make_customer(**CLEAR, merged_into=top)
    rows += len(into)
    client.force_login(eve)
    client.get(LIST)
    with django_assert_num_queries(queries):
        assert len(client.get(LIST).json()["results"]) == rows
