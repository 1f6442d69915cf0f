"""Lists of orders, of their lines and of details of products: small made sheets, and their sums."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from backoffice.accounts.models import User
from backoffice.sheets.models import ImportJob
from customers.models import Customer
from orders.models import Charge, Order, OrderLine
from payments.models import Payment
from sellers.models import Product
from tests.factories import make_order, make_seller
from tests.people import allow
from tests.sheets import made

pytestmark = pytest.mark.django_db
DAY = datetime(2011, 7, 1, 12, 0)  # noqa: DTZ001 - a sheet has no zones
ORDERS = ("Order number", "Customer number", "Order date", "Order status", "Shipping", "Currency")
LINES = ("Order number", "Shop", "Product code", "Quantity", "Unit price", "Discount", "Shipping")
PAYMENTS = ("Order number", "Payment number", "Payment method", "Amount paid")
DETAILS = ("ProductID", "ProductName", "product_category_name")


def bring_in(user: User, head: Any, rows: Any, key: str) -> ImportJob:
    job = made.upload(made.book(rows, head=head), user)
    assert job.format == key
    assert made.check(job).state == ImportJob.State.CHECKED, job.message
    return made.run(job)


def sums(job: ImportJob) -> dict[str, tuple[int, int, int, int]]:
    """Return key -> (file, left out, ready, system) of the check sums."""
    names = ("file", "left_out", "ready", "system")
    return {one["key"]: tuple(one[name] for name in names) for one in job.sums}


def codes(job: ImportJob) -> set[tuple[str, int]]:
    return {(code, row) for code, _sheet, row, _column in made.said(job)}


def test_orders_come_in_and_what_is_left_out_is_summed(oli: User) -> None:
    Customer.objects.create(number="007")
    rows = [
        ["A1", "007", DAY, "paid", 5.25, "EUR"],
        ["A2", None, DAY, None, None, "EUR"],
        ["A1", "007", DAY, "paid", 7, "EUR"],
        ["A3", None, DAY, "lost", 1.5, "EUR"],
        ["A4", None, "someday", "paid", 2, "EUR"],
    ]
    job = bring_in(oli, ORDERS, rows, "orders")
    assert codes(job) == {("order-twice", 4), ("unknown-state", 5), ("not-date", 6)}
    assert sums(job) == {
        "orders": (5, 3, 2, 2),
        "charges": (4, 3, 1, 1),
        "charge_money": (1_575, 1_050, 525, 525),
    }
    first, second = Order.objects.order_by("number")
    assert first.customer is not None
    assert (first.customer.number, first.status, first.total_minor) == ("007", "paid", 525)
    assert (second.customer, second.status, second.total_minor) == (None, "placed", 0)
    # An order that is known keeps its state and customer: orders move by services alone.
    again = bring_in(oli, ORDERS, [["A1", None, DAY, "cancelled", 5.25, "EUR"]], "orders")
    assert (again.created, again.total("updated")) == (0, 0)
    first.refresh_from_db()
    assert (first.status, first.total_minor) == ("paid", 525)


def test_lines_come_in_and_what_is_left_out_is_summed(oli: User) -> None:
    bring_in(oli, ORDERS, [["A1", None, DAY, "paid", None, "GBP"]], "orders")
    make_seller("cups")
    rows = [
        ["A1", "cups", "0010", 2, 1.25, 0.1, 3],
        ["A1", "cups", "0010", 2, 1.25, 0.1, 3],
        ["A1", "cups", "0011", 1, 0.125, None, None],
        ["A1", "cups", "0012", 1, 0.33333, 0.33333, 1],
        ["A1", "cups", "0013", 0, 9, None, None],
    ]
    job = bring_in(oli, LINES, rows, "order-lines")
    assert codes(job) == {("no-exact-price", 5), ("no-pieces", 6)}
    # 2 x 1.125 twice is 4.50, and 0.125 is rounded to 0.13; of what has no number of pieces only
    # the row is counted.
    assert sums(job) == {
        "order_lines": (5, 2, 3, 3),
        "charges": (3, 1, 2, 2),
        "line_money": (485, 22, 463, 463),
        "charge_money": (700, 100, 600, 600),
    }
    order = Order.objects.get(number="A1")
    assert order.total_minor == 463 + 600
    assert list(Charge.objects.values_list("total_minor", flat=True)) == [300, 300]
    lines = OrderLine.objects.order_by("position").values_list(
        "product__code", "seller__code", "quantity", "source_price", "total_minor"
    )
    assert list(lines) == [
        ("0010", "cups", 2, Decimal("1.125"), 225),
        ("0010", "cups", 2, Decimal("1.125"), 225),
        ("0011", "cups", 1, Decimal("0.125"), 13),
    ]


def test_a_sum_that_the_system_holds_otherwise_is_told(oli: User) -> None:
    """What came in before by another price stays as it is, and the sums do not agree."""
    order = make_order()
    allowed = allow(allow(oli, "payments.import_payment"), "payments.view_payment")
    rows = [[order.number, 1, "boleto", 70]]
    assert sums(bring_in(allowed, PAYMENTS, rows, "payments"))["money"] == (7_000, 0, 7_000, 7_000)
    rows = [[order.number, 1, "boleto", 71], [order.number, 2, "voucher", "1.005"]]
    job = bring_in(allowed, PAYMENTS, rows, "payments")
    assert codes(job) == {("other-payment-stored", 2), ("more-than-minor", 3)}
    assert sums(job)["money"] == (7_201, 101, 7_100, 7_000)
    assert sums(job)["payments"] == (2, 1, 1, 1)
    assert Payment.objects.get().captured_minor == 7_000


def test_details_are_told_of_products_of_any_shop(oli: User) -> None:
    shops = [make_seller("cups"), make_seller("pots")]
    for shop in shops:
        Product.objects.create(seller=shop, code="0010", name="Old", category="Old")
    Product.objects.create(seller=shops[0], code="0011", name="Kept", category="Kept")
    rows = [["0010", "Cup", "Kitchen"], ["0011", None, None], ["0012", "Nobody's", None]]
    job = bring_in(oli, DETAILS, rows, "product-details")
    assert codes(job) == {("nobody-sells", 4)}
    assert (job.total("updated"), job.total("unchanged"), job.total("failed")) == (2, 1, 1)
    told = Product.objects.order_by("code", "seller__code").values_list("code", "name", "category")
    assert list(told) == [
        ("0010", "Cup", "Kitchen"),
        ("0010", "Cup", "Kitchen"),
        ("0011", "Kept", "Kept"),
    ]
    again = bring_in(oli, DETAILS, rows, "product-details")
    assert (again.created, again.total("updated")) == (0, 0)
