"""Rows with a history: nothing writes them past it, and many at once cost little."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.audit.history import UnrecordedWriteError
from backoffice.jobs.models import Job
from customers.models import Customer
from sellers.models import Product
from tests.factories import make_seller

# The calls of this module meet the guard; see tests/conftest.py.
GUARDED = True


@pytest.fixture
def customers(db: None) -> list[Customer]:
    return [Customer.objects.create(number=str(n), name=f"Anna {n}") for n in range(3)]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("update", lambda rows: rows.update(country="Spain")),
        ("update", lambda rows: rows.model.objects.update(country="Spain")),
        ("bulk_create", lambda rows: rows.model.objects.bulk_create([Customer(number="9")])),
        ("bulk_update", lambda rows: rows.bulk_update(list(rows), ["country"])),
        ("delete", lambda rows: rows.delete()),
    ],
)
def test_write_past_the_history_is_refused_and_names_the_helper(
    name: str, write: Callable[[Any], Any], customers: list[Customer]
) -> None:
    with pytest.raises(UnrecordedWriteError, match=rf"customers\.Customer .*{name}.* use audit"):
        write(Customer.objects.filter(number="1"))
    assert list(Customer.objects.values_list("country", flat=True)) == ["", "", ""]


def test_relation_that_updates_rows_is_refused(db: None) -> None:
    product = Product.objects.create(seller=make_seller(), code="1", name="CAKE STAND")
    with pytest.raises(UnrecordedWriteError):
        make_seller("other").products.add(product)


def test_guard_leaves_models_without_a_history_alone(db: None) -> None:
    assert Job.objects.update(message="") == 0
    assert Customer.history.update(country="Spain") == 0


def test_guard_closes_after_a_block_that_failed(customers: list[Customer]) -> None:
    with pytest.raises(ZeroDivisionError), history.recorded():
        raise ZeroDivisionError
    with pytest.raises(UnrecordedWriteError):
        Customer.objects.update(country="Spain")


def rows_of(customer: Customer) -> list[tuple[Any, ...]]:
    columns = ("history_type", "country", "history_user_id", "history_change_reason")
    return list(customer.history.order_by("history_id").values_list(*columns))


def test_bulk_create_writes_a_history_row_each(eve: User) -> None:
    made = history.bulk_create(
        [Customer(number=str(n), country="Spain") for n in range(3)], actor=eve, reason="Moved in"
    )
    assert [rows_of(row) for row in made] == [[("+", "Spain", eve.pk, "Moved in")]] * 3


def test_bulk_update_writes_a_history_row_each(eve: User, customers: list[Customer]) -> None:
    for customer in customers[:2]:
        customer.country = "Spain"
    assert history.bulk_update(customers[:2], ["country"], actor=eve, reason="Moved") == 2
    assert [rows_of(row)[1:] for row in customers] == [[("~", "Spain", eve.pk, "Moved")]] * 2 + [[]]


def test_update_writes_a_history_row_for_each_row_of_the_query(
    eve: User, customers: list[Customer]
) -> None:
    rows = Customer.objects.exclude(number="1")
    assert history.update(rows, actor=eve, changes={"country": "Peru"}, reason="Moved") == 2
    assert [rows_of(row)[1:] for row in customers] == [
        [("~", "Peru", eve.pk, "Moved")], [], [("~", "Peru", eve.pk, "Moved")],
    ]  # fmt: skip


def test_delete_leaves_the_last_values_and_who(eve: User, customers: list[Customer]) -> None:
    assert history.delete(customers[:1], actor=eve, reason="Twice there") == 1
    last = Customer.history.filter(history_type="-").get()
    assert (last.number, last.history_user, last.history_change_reason) == (
        "0", eve, "Twice there",
    )  # fmt: skip


def test_work_of_the_system_has_no_person(customers: list[Customer]) -> None:
    history.bulk_update(customers, ["country"], actor=None)
    assert [rows_of(row)[1] for row in customers] == [("~", "", None, None)] * 3


def test_masked_values_are_copied_whole(eve: User, customers: list[Customer]) -> None:
    history.bulk_update(customers[:1], ["country"], actor=eve)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM customers_historicalcustomer ORDER BY history_id DESC")
        assert cursor.fetchone() == ("Anna 0",)


def test_time_may_be_given(eve: User, customers: list[Customer]) -> None:
    at = datetime(2011, 12, 9, 14, 12, tzinfo=UTC)
    history.bulk_update(customers, ["country"], actor=eve, at=at)
    assert set(
        Customer.history.filter(history_type="~").values_list("history_date", flat=True)
    ) == {at}


def test_many_rows_ask_as_little_as_few(eve: User) -> None:
    counts = []
    for many in (2, 200):
        rows = [Customer(number=f"{many}-{n}") for n in range(many)]
        with CaptureQueriesContext(connection) as queries:
            history.bulk_create(rows, actor=eve)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_nothing_is_written_for_no_rows(eve: User) -> None:
    assert history.bulk_create([], actor=eve) == []
    assert history.bulk_update([], ["country"], actor=eve) == 0
    assert history.update(Customer.objects.none(), actor=eve, changes={"country": ""}) == 0
