"""The day files of Online Retail, one after the other, against an independent count."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client

from backoffice.accounts.models import User
from backoffice.money import Money
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return, ReturnLine
from sellers.models import Product
from tests.clients import signed_in
from tests.sheets import retail_rules, suppliers
from tests.sheets.shared_data import shared

pytestmark = pytest.mark.django_db
DAYS = ("2010-12-01.csv", "2011-11-17.csv", "2011-12-09.csv")
PROFILE = "Online Retail"
MODELS: tuple[Any, ...] = (Customer, Product, Order, OrderLine, Return, ReturnLine, Charge)


def day(name: str) -> Path:
    return shared(f"main/online_retail/{name}")


@pytest.fixture
def client(oli: User) -> Client:
    return signed_in(suppliers.keep_profiles(oli))


def pounds(rows: Any) -> Decimal:
    return Money(rows.aggregate(sum=Sum("total_minor"))["sum"] or 0, "GBP").amount


def assert_equal_to(wanted: retail_rules.Expected) -> None:
    assert set(Order.objects.values_list("number", flat=True)) == wanted.orders
    assert set(Return.objects.values_list("number", flat=True)) == wanted.returns
    assert set(Customer.objects.values_list("number", flat=True)) == wanted.customers
    assert set(Product.objects.values_list("code", flat=True)) == wanted.products
    assert OrderLine.objects.count() == wanted.order_lines
    assert ReturnLine.objects.count() == wanted.return_lines
    assert Charge.objects.count() == wanted.charges
    assert pounds(Order.objects) == wanted.order_money
    assert pounds(Return.objects) == wanted.return_money


def test_three_days_in_a_row_equal_an_independent_count(client: Client) -> None:
    so_far: list[Path] = []
    for name in DAYS:
        so_far.append(day(name))
        job = suppliers.import_by_pages(client, so_far[-1], PROFILE)
        today = retail_rules.expected(so_far[-1:])
        assert job.summary["read"] == today.rows
        assert job.summary["failed"] + job.summary["skipped"] == today.left_out
        assert_equal_to(retail_rules.expected(so_far))


def test_the_same_day_again_changes_nothing(client: Client) -> None:
    suppliers.import_by_pages(client, day(DAYS[0]), PROFILE)
    before = [(model.objects.count(), model.history.count()) for model in MODELS]
    again = suppliers.import_by_pages(client, day(DAYS[0]), PROFILE)
    assert (again.created, again.total("updated"), again.total("failed")) == (0, 0, 0)
    assert [(model.objects.count(), model.history.count()) for model in MODELS] == before


def test_the_independent_count_knows_the_published_rows() -> None:
    counted = retail_rules.expected([day(DAYS[0])])
    assert (counted.rows, len(counted.invoices)) == (3_108, 143)
    assert counted.source_money == Decimal("58635.56")
