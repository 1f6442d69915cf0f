"""Asking one source: complete answers or an error in words, never a cut or a leak."""

import time
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from backoffice.masking.values import Sealed
from backoffice.money import Money
from backoffice.sources.fields import Amount, Field, Instant, Text, WrongValueError
from backoffice.sources.runtime import SourceError, Wanted, chunks, probe, read_keys, read_page
from backoffice.sources.spec import PageNumber, Query, SinglePage
from fixtures.backends.rest import read
from orders.workflows import Customers, Orders
from tests.backends import Backend

ALL_ORDERS = read("orders.jsonl")
BUSIEST = "12681"


def soon() -> float:
    return time.monotonic() + 10


def failure(query: type[Query] = Customers) -> str:
    with pytest.raises(SourceError) as caught:
        read_page(query, Wanted(), ends_at=soon())
    return str(caught.value.reason)


def test_page_has_masked_rows_only(customer_api: Backend) -> None:
    answer = read_page(Customers, Wanted(per_page=2), ends_at=soon())
    assert answer.rows == [
        {
            "id": "12349",
            "name": "C••••• F•••••",
            "email": "c•••••@e•••••.com",
            "country": "Italy",
            "level": "Silver",
        },
        {
            "id": "12351",
            "name": "L••••• R•••••",
            "email": "c•••••@e•••••.com",
            "country": "Unspecified",
            "level": "Platinum",
        },
    ]
    assert not any(isinstance(value, Sealed) for value in answer.rows[0].values())
    assert (answer.more, answer.total, answer.calls) == (True, 260, 1)


def test_last_page_says_that_it_is_the_last(customer_api: Backend) -> None:
    answer = read_page(Customers, Wanted(page=13), ends_at=soon())
    assert (len(answer.rows), answer.more) == (20, False)


def test_filter_and_sort_are_the_backends(customer_api: Backend) -> None:
    wanted = Wanted(filters={"country": "Lebanon"}, sort="-id")
    answer = read_page(Customers, wanted, ends_at=soon())
    assert [row["id"] for row in answer.rows] == ["12764"]


def test_keys_bring_every_row_though_the_answer_is_paged(order_api: Backend) -> None:
    order_api.play(max_limit=7)
    keys = [row["customer_id"] for row in ALL_ORDERS[:9]]
    wanted = sorted(row["number"] for row in ALL_ORDERS if row["customer_id"] in keys)
    answer = read_keys(Orders, "customer_id", list(dict.fromkeys(keys)), ends_at=soon())
    assert sorted(str(row["number"]) for row in answer.rows) == wanted
    assert answer.calls == -(-len(wanted) // 7)


def test_amounts_are_exact(order_api: Backend) -> None:
    answer = read_keys(Orders, "customer_id", [BUSIEST], ends_at=soon())
    exact = sum(Decimal(str(row["total"])) for row in ALL_ORDERS if row["customer_id"] == BUSIEST)
    totals = [row["total"] for row in answer.rows]
    assert sum(total.minor for total in totals if isinstance(total, Money)) == exact * 100


def test_keys_are_split_by_number_and_by_length_of_the_address() -> None:
    assert [len(part) for part in chunks(Orders, [str(n) for n in range(250)], 100)] == [
        100,
        100,
        50,
    ]
    long = [f"{number:0>90}" for number in range(100)]
    parts = chunks(Orders, long, 100)
    assert [key for part in parts for key in part] == long
    assert max(len(",".join(part)) for part in parts) < 4000


def test_key_with_a_comma_is_refused() -> None:
    with pytest.raises(SourceError):
        chunks(Orders, ["1,2"], 100)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("error", "answered with an error (500)"),
        ("html", "sent something that is no data"),
        ("huge", "sent more data than allowed"),
        ("redirect", "answered with an error (302)"),
        ("foreign_link", "does not answer"),
        (
            "wrong_type",
            "sent data of another shape: customers[0].id should be text",
        ),
    ],
)
def test_fault_of_the_backend_is_told_in_words(
    customer_api: Backend, fault: str, reason: str
) -> None:
    customer_api.play(fault=fault)
    assert failure() == reason


def test_drip_ends_at_the_deadline(customer_api: Backend) -> None:
    customer_api.play(fault="drip")
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        read_page(Customers, Wanted(), ends_at=time.monotonic() + 0.5)
    assert str(caught.value.reason) == "did not answer in time"
    assert time.monotonic() - started < 10  # the drip takes far longer


def test_stopped_backend_does_not_answer(customer_api: Backend) -> None:
    customer_api.stop()
    assert failure() == "does not answer"


def test_wrong_token_is_told(customer_api: Backend, settings: Settings) -> None:
    settings.BACKOFFICE_CUSTOMER_API_TOKEN = "another"
    assert failure() == "does not accept our sign-in"


def test_wrong_address_is_told(settings: Settings) -> None:
    settings.BACKOFFICE_CUSTOMER_API_URL = "customers.internal"
    assert failure() == "is set up with a wrong address"


def test_rows_that_were_not_asked_for_are_refused(order_api: Backend) -> None:
    order_api.play(fault="unasked")
    with pytest.raises(SourceError, match="rows that were not asked for"):
        read_keys(Orders, "customer_id", ["99999"], ends_at=soon())


def test_full_page_without_a_next_rule_is_refused(order_api: Backend) -> None:
    class Cut(Query):
        source, path, paginate = Orders.source, "/orders", SinglePage(per_page=50)
        number = Text(key=True)
        customer_id = Text(batch="customer_id__in")

    with pytest.raises(SourceError, match="a full page and no way to the next"):
        read_keys(Cut, "customer_id", [row["customer_id"] for row in ALL_ORDERS], ends_at=soon())


def test_lost_link_header_is_noticed_by_the_total(order_api: Backend) -> None:
    class Unlinked(Query):
        source, path = Orders.source, "/orders"
        paginate = PageNumber("page", "limit", per_page=60, total="X-Total-Count")
        number = Text(key=True)
        customer_id = Text(batch="customer_id__in")

    order_api.play(max_limit=50)  # never fills the page of 60 that was asked for
    keys = list(dict.fromkeys(row["customer_id"] for row in ALL_ORDERS))[:60]
    with pytest.raises(SourceError, match="fewer rows than it says"):
        read_keys(Unlinked, "customer_id", keys, ends_at=soon())


def test_page_numbers_are_followed_to_the_page_that_is_not_full(order_api: Backend) -> None:
    class Numbered(Query):
        source, path = Orders.source, "/orders"
        paginate = PageNumber("page", "limit", per_page=5)
        number = Text(key=True)
        customer_id = Text(batch="customer_id__in")

    known = sum(row["customer_id"] == BUSIEST for row in ALL_ORDERS)
    answer = read_keys(Numbered, "customer_id", [BUSIEST], ends_at=soon())
    assert len(answer.rows) == known


def test_probe_measures_the_health_address(customer_api: Backend) -> None:
    assert 0 <= probe(Customers.source) < 1000


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        (Text(), {"x": 1.5}),
        (Text(), {"x": True}),
        (Text(), {}),
        (Text(), {"x": None}),
        (Instant(), {"x": "yesterday"}),
        (Instant(), {"x": 5}),
        (Instant(), {"x": "2011-12-09T12:50:00"}),
        (Amount(), {"x": "22.719", "currency": "GBP"}),
        (Amount(), {"x": "22.71"}),
        (Amount(), {"x": True, "currency": "GBP"}),
        (Amount(), {"x": [], "currency": "GBP"}),
    ],
)
def test_value_of_another_type_is_refused(field: Field, raw: dict[str, Any]) -> None:
    with pytest.raises(WrongValueError):
        field.named("x").read(raw)


def test_optional_field_may_be_missing() -> None:
    assert Text(optional=True).named("x").read({}) is None
