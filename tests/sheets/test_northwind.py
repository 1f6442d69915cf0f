"""Northwind through the pages of imports, by saved profiles, against an independent count."""

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Sum
from django.test import Client

from backoffice.accounts.models import User
from backoffice.sheets.models import ImportJob
from customers.models import Customer
from orders.models import Charge, Order, OrderLine
from sellers.models import Product, Seller
from tests.clients import signed_in
from tests.sheets import suppliers

pytestmark = pytest.mark.django_db
FILES = {
    "suppliers.csv": "Northwind suppliers",
    "customers.csv": "Northwind customers",
    "products.csv": "Northwind products",
    "orders.csv": "Northwind orders",
    "order_details.csv": "Northwind order lines",
}
MODELS: tuple[Any, ...] = (Seller, Customer, Product, Order, OrderLine, Charge)
CENT = Decimal("0.01")


def folder() -> Path:
    return Path(settings.BASE_DIR) / "fixtures" / "northwind"


@pytest.fixture
def client(oli: User) -> Client:
    return signed_in(suppliers.keep_profiles(oli))


def import_all(client: Client) -> dict[str, ImportJob]:
    return {
        name: suppliers.import_by_pages(client, folder() / name, profile)
        for name, profile in FILES.items()
    }


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def dollars(rows: Any) -> Decimal:
    return Decimal(rows.aggregate(sum=Sum("total_minor"))["sum"]) / 100


def counts() -> list[tuple[int, int]]:
    return [(model.objects.count(), model.history.count()) for model in MODELS]


def test_all_files_come_in_and_equal_an_independent_count(client: Client) -> None:
    done = import_all(client)
    assert [job.total("failed") for job in done.values()] == [0] * 5
    lines = list(suppliers.rows(folder() / "order_details.csv"))
    orders = list(suppliers.rows(folder() / "orders.csv"))
    assert (Customer.objects.count(), Seller.objects.count(), Product.objects.count()) == (
        91,
        29,
        77,
    )
    assert (Order.objects.count(), OrderLine.objects.count()) == (830, 2_155)
    by_line = [
        rounded(Decimal(one["UnitPrice"]) * int(one["Quantity"]) * (1 - Decimal(one["Discount"])))
        for one in lines
    ]
    freight = sum(Decimal(one["Freight"]) for one in orders)
    assert dollars(OrderLine.objects) == sum(by_line)
    assert dollars(Charge.objects) == freight
    assert dollars(Order.objects) == sum(by_line) + freight
    shipped = Counter(bool(one["ShippedDate"]) for one in orders)
    assert Order.objects.filter(status="shipped").count() == shipped[True] == 809
    assert Order.objects.filter(status="placed").count() == shipped[False] == 21


def test_values_are_those_of_the_files(client: Client) -> None:
    import_all(client)
    order = Order.objects.select_related("customer").get(number="NW-10248")
    assert (order.country, order.currency) == ("France", "USD")
    assert order.placed_at.isoformat() == "1996-07-03T23:00:00+00:00"  # 4 July, in London
    assert order.customer is not None
    assert order.customer.number == "NW-VINET"
    line = OrderLine.objects.get(order__number="NW-10250", product__code="NW-51")
    assert (line.quantity, line.source_price) == (35, Decimal("36.04"))  # 42.40 less 15 %
    assert line.seller.code == "NW-24"
    product = Product.objects.get(code="NW-1")
    assert (product.name, product.category, product.seller.name) == (
        "Chai", "Beverages", "Exotic Liquids",
    )  # fmt: skip
    assert (product.price_minor, product.currency) == (1_800, "USD")
    assert Product.objects.filter(status="retired").count() == sum(
        one["Discontinued"] == "1" for one in suppliers.rows(folder() / "products.csv")
    )


def test_the_same_files_again_change_nothing(client: Client) -> None:
    import_all(client)
    before = counts()
    again = import_all(client)
    assert counts() == before
    for job in again.values():
        assert (job.created, job.total("updated"), job.total("failed")) == (0, 0, 0)


def test_what_tells_of_people_is_masked_on_the_way(client: Client, kim: User) -> None:
    job = suppliers.import_by_pages(client, folder() / "customers.csv", FILES["customers.csv"])
    kept = Customer.objects.get(number="NW-ALFKI")
    assert "Anders" not in str(kept.name)
    for name in ("import_check", "import_difference", "import_result", "import_problems"):
        page = client.get(suppliers.page(name, job), follow=True)
        assert page.status_code == 200, name
        assert "030-0074321" not in page.content.decode(), name
    # First rows are for the person alone whose file it is; phones are masks to them too.
    mapping = suppliers.page("import_mapping", job)
    own = client.get(mapping).content.decode()
    assert "ALFKI" in own
    assert "030-0074321" not in own
    page = signed_in(kim).get(mapping, follow=True)
    assert page.status_code == 200
    assert "ALFKI" not in page.content.decode()
