"""Online Retail: what a sheet becomes, on both databases."""

import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Model, Sum

from backoffice.accounts.models import User
from backoffice.audit.services import save_with_history
from backoffice.money import Money
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import reader
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return, ReturnLine
from orders.sheets.resources import most_frequent
from sellers.models import Product, Seller
from sellers.sheets import category_of
from tests.factories import make_customer
from tests.orders import retail
from tests.sheets.made import FIXTURE, SHARED, book, bring_in, line, said

pytestmark = pytest.mark.django_db
ORIGINAL = SHARED / "main" / "online_retail" / "online_retail_II_11_countries.xlsx"
MODELS: tuple[Any, ...] = (
    Seller, Customer, Product, Order, OrderLine, Return, ReturnLine, Charge,
)  # fmt: skip
WHOLE = os.environ.get("BACKOFFICE_WHOLE") == "1"
YEARS = ("Year 2009-2010", "Year 2010-2011")


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a part of the workbook with its quirks; the whole of it for `make soak-import`."""
    if WHOLE:
        return FIXTURE
    return retail.part(FIXTURE, tmp_path_factory.mktemp("workbook") / FIXTURE.name)


def rows_and_history() -> dict[str, tuple[int, int]]:
    return {one.__name__: (one.objects.count(), one.history.count()) for one in MODELS}


def content_of(model: type[Model], *names: str) -> list[tuple[Any, ...]]:
    return sorted(model._default_manager.values_list(*names), key=repr)


def everything() -> list[list[tuple[Any, ...]]]:
    """Return what is stored, but for primary keys and list prices."""
    common = ("quantity", "source_price", "occurrence", "total_minor")
    return [
        content_of(Customer, "number", "country"),
        content_of(Product, "code", "name", "category"),
        content_of(Order, "number", "customer__number", "placed_at", "total_minor", "batch"),
        content_of(OrderLine, "order__number", "product__code", "description", *common),
        content_of(Return, "number", "order__number", "returned_at", "total_minor"),
        content_of(ReturnLine, "parent__number", "product__code", "order_line__order", *common),
        content_of(Charge, "order__number", "parent__number", "code", *common),
    ]


def pounds(rows: Any) -> Decimal:
    return Money(rows.aggregate(total=Sum("total_minor"))["total"] or 0, "GBP").amount


def assert_equal_to(counted: retail.Count) -> None:
    """Compare the database with an independent count."""
    assert set(Order.objects.values_list("number", flat=True)) == counted.orders
    assert set(Return.objects.values_list("number", flat=True)) == counted.returns
    assert set(Customer.objects.values_list("number", flat=True)) == counted.customers
    assert set(Product.objects.values_list("code", flat=True)) == counted.products
    assert OrderLine.objects.count() == counted.order_lines
    assert ReturnLine.objects.count() == counted.return_lines
    assert Charge.objects.count() == counted.charges
    assert pounds(Order.objects) == counted.order_money
    assert pounds(Return.objects) == counted.return_money
    lines = pounds(OrderLine.objects) + pounds(Charge.objects.exclude(order=None))
    assert lines == counted.order_money
    for code, name in Product.objects.values_list("code", "name"):
        most = max(counted.names[code].values())
        assert counted.names[code][name] == most, code


# The whole workbook takes minutes: `make soak-import` brings it in on both databases, and the
# suite once, in a browser.
def test_workbook_equals_an_independent_count(oli: User, workbook: Path) -> None:
    counted = retail.count(workbook)
    job = bring_in(workbook.read_bytes(), oli)
    assert job.state == ImportJob.State.DONE, job.message
    assert_equal_to(counted)
    rows = 34_766 if WHOLE else 2_799
    assert (counted.rows, counted.repeated, len(counted.repeated_invoices)) == (rows, 441, 23)
    assert (job.summary["read"], job.summary["repeated"]) == (rows, 441)
    assert job.problems.get(code="repeated").params == {"documents": 23, "lines": 441}
    assert all(one["system"] == one["ready"] == one["file"] for one in job.sums)
    assert all(rows == history for rows, history in rows_and_history().values())


def test_one_sheet_after_the_other_ends_the_same_and_comes_in_once(
    oli: User, workbook: Path
) -> None:
    content = workbook.read_bytes()
    for year in YEARS:
        assert bring_in(content, oli, year).state == ImportJob.State.DONE
    assert_equal_to(retail.count(workbook))
    before = rows_and_history()
    assert all(rows <= history for rows, history in before.values())
    again = bring_in(content, oli)
    assert rows_and_history() == before
    assert (again.created, again.total("updated"), again.total("failed")) == (0, 0, 0)
    assert again.total("unchanged") == sum(rows for rows, _history in before.values())


@pytest.mark.skipif(WHOLE, reason="speaks of the part")
def test_part_has_the_quirks_of_the_whole(workbook: Path) -> None:
    counted = retail.count(workbook)
    assert min(len(counted.returns), counted.return_lines, counted.charges) > 15
    assert any(len(names) > 1 for names in counted.names.values())
    assert any(not row.cells[6] for row in reader.rows(workbook))


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_any_order_of_sheets_ends_the_same(order: tuple[str, str], oli: User) -> None:
    first = [
        line(600001, 10001, description="RED CUP", customer=1),
        line(600001, 10002, description="PLATE", customer=1),
        line(600002, "POST", price=18, customer=2),
    ]
    second = [
        line(600001, 10001, description="RED CUP", customer=1),
        line(600003, 10001, description="BLUE CUP", customer=1),
        line(600004, 10001, description="BLUE CUP", customer=1),
        line("C600005", 10002, -1, description="PLATE", customer=1),
    ]
    content = book(first, second)
    for sheet in order:
        bring_in(content, oli, sheet)
    assert content_of(Product, "code", "name") == [("10001", "BLUE CUP"), ("10002", "PLATE")]
    assert OrderLine.objects.count() == 4
    stored = everything()
    before = rows_and_history()
    bring_in(content, oli)
    assert everything() == stored
    assert rows_and_history() == before


def test_name_that_a_person_gave_stays(oli: User) -> None:
    bring_in(book([line(600001, 10001, description="CUP")]), oli)
    product = Product.objects.get()
    product.name = "MUG"
    save_with_history(product, actor=oli, reason="It is a mug")
    bring_in(book([line(600002, 10001, description="CUP")]), oli)
    assert Product.objects.get().name == "MUG"


def test_equal_lines_of_one_invoice_stay_apart(oli: User) -> None:
    bring_in(book([line(), line(), line(quantity=2)]), oli)
    lines = OrderLine.objects.order_by("position")
    assert list(lines.values_list("quantity", "occurrence")) == [(1, 0), (1, 1), (2, 0)]


def test_line_of_two_sheets_comes_in_as_often_as_one_sheet_has_it(oli: User) -> None:
    job = bring_in(book([line(), line()], [line(), line(), line()]), oli)
    assert OrderLine.objects.count() == 3
    assert job.summary["repeated"] == 2


def test_stock_write_off_is_skipped_and_said(oli: User) -> None:
    job = bring_in(book([line(600001), line(600002, quantity=-24, price=0, customer=None)]), oli)
    assert said(job)[0] == ("write-off", "A", 3, "quantity")
    assert (job.summary["skipped"], job.summary["failed"]) == (1, 0)
    assert list(Order.objects.values_list("number", flat=True)) == ["600001"]
    assert not Return.objects.exists()


def test_price_with_many_decimals_is_kept_and_the_line_rounded_half_up(oli: User) -> None:
    job = bring_in(
        book([line(quantity=1, price=1.005), line(600002, quantity=3, price=0.115)]), oli
    )
    first, second = OrderLine.objects.order_by("pk")
    assert (first.source_price, first.total_minor) == (Decimal("1.005"), 101)
    assert (second.source_price, second.total_minor) == (Decimal("0.115"), 35)
    money = next(one for one in job.sums if one["key"] == "order_money")
    assert (money["ready"], money["rounding"]) == (136, "0.01")
    assert job.problems.filter(code="more-decimals", count=2).exists()


def test_line_without_customer_is_an_order_without_customer(oli: User) -> None:
    bring_in(book([line(customer=None)]), oli)
    assert Order.objects.get().customer is None
    assert not Customer.objects.exists()


def test_customer_number_is_text_without_point(oli: User) -> None:
    bring_in(book([line(customer=12437.0), line(600002, customer="12437.0")]), oli)
    assert Customer.objects.get().number == "12437"


def test_other_codes_are_charges_of_their_document(oli: User) -> None:
    bring_in(book([line(code="POST", price=18), line("C600002", "M", -1, 5)]), oli)
    sale, taken_back = Charge.objects.order_by("pk")
    assert (sale.order, sale.parent, sale.total_minor) == (Order.objects.get(), None, 1800)
    assert (taken_back.order, taken_back.parent) == (None, Return.objects.get())
    assert taken_back.total_minor == -500
    assert not Product.objects.exists()


def test_times_are_those_of_london(oli: User) -> None:
    at = datetime(2011, 7, 1, 12, 0)  # noqa: DTZ001 - a sheet has no zones
    bring_in(book([line(at=at)]), oli)
    assert Order.objects.get().placed_at == datetime(2011, 7, 1, 11, 0, tzinfo=UTC)


def test_order_has_its_earliest_time(oli: User) -> None:
    early, late = datetime(2011, 7, 1, 12, 0), datetime(2011, 7, 1, 12, 1)  # noqa: DTZ001
    job = bring_in(book([line(at=late), line(code=10002, at=early)]), oli)
    assert Order.objects.get().placed_at == datetime(2011, 7, 1, 11, 0, tzinfo=UTC)
    assert "two-times" in [code for code, *_rest in said(job)]


def test_second_customer_of_an_invoice_fails(oli: User) -> None:
    job = bring_in(book([line(customer=1), line(code=10002, customer=2)]), oli)
    assert said(job) == [("other-customer", "A", 3, "customer")]
    assert OrderLine.objects.count() == 1


def test_invoice_of_another_customer_in_the_system_fails(oli: User) -> None:
    bring_in(book([line(customer=1)]), oli)
    job = bring_in(book([line(customer=2, code=10002)]), oli)
    assert ("other-customer-stored", "A", 2, "customer") in said(job)
    assert Order.objects.get().customer == Customer.objects.get(number="1")


@pytest.mark.parametrize(
    ("sales", "linked"),
    [
        ([line(600001, quantity=5)], True),
        ([line(600001, quantity=5), line(600002, quantity=5)], False),
        ([line(600001, quantity=5, price=3)], False),
        ([line(600001, quantity=5, customer=99)], False),
        ([line(600001, quantity=1)], False),
        ([line(600001, quantity=5, at=datetime(2011, 8, 1))], False),  # noqa: DTZ001
    ],
)
def test_return_is_linked_only_where_one_sale_can_be_meant(
    sales: list[list[Any]], *, linked: bool, oli: User
) -> None:
    bring_in(book([*sales, line("C600009", quantity=-2)]), oli)
    returned = ReturnLine.objects.get()
    assert (returned.order_line is not None) is linked
    assert (returned.parent.order is not None) is linked


def test_more_than_was_sold_is_not_linked(oli: User) -> None:
    rows = [line(600001, quantity=5), line("C600008", quantity=-3), line("C600009", quantity=-3)]
    bring_in(book(rows), oli)
    links = dict(ReturnLine.objects.values_list("parent__number", "order_line__order__number"))
    assert links == {"C600008": "600001", "C600009": None}


def test_return_is_no_refund_and_positive_ones_fail(oli: User) -> None:
    job = bring_in(book([line("C600001", quantity=2)]), oli)
    assert said(job) == [("positive-return", "A", 2, "quantity")]
    assert not Return.objects.exists()


def test_adjustment_of_the_books_is_skipped(oli: User) -> None:
    job = bring_in(book([line(), line("A563185", "B", 1, -11062.06)]), oli)
    assert said(job)[0] == ("adjustment", "A", 3, "invoice")
    assert Order.objects.count() == 1


def test_order_that_exists_keeps_its_state(oli: User) -> None:
    bring_in(book([line()]), oli)
    assert Order.objects.get().status == Order.Status.DELIVERED
    Order.objects.update(status=Order.Status.CANCELLED)
    bring_in(book([line()]), oli)
    assert Order.objects.get().status == Order.Status.CANCELLED


def test_number_of_a_merged_customer_means_who_stands_for_them(oli: User) -> None:
    bring_in(book([line()]), oli)
    gone, kept = Customer.objects.get(), make_customer(number="99999")
    Order.objects.update(customer=kept)
    Customer.objects.filter(pk=gone.pk).update(merged_into=kept)
    job = bring_in(book([line(), line(600002)]), oli)
    assert [code for code, *_where in said(job) if "customer" in code] == []
    assert set(Order.objects.values_list("customer", flat=True)) == {kept.pk}
    assert Order.objects.count() == 2


def test_line_that_comes_later_is_added_to_the_total(oli: User) -> None:
    bring_in(book([line(price=2)]), oli)
    job = bring_in(book([line(price=2), line(code=10002, price=3)]), oli)
    assert Order.objects.get().total_minor == 500
    assert job.counters["orders"] == {"created": 0, "updated": 1, "unchanged": 0, "failed": 0}
    assert Order.history.count() == 2


def test_product_of_another_shop_is_taken_only_where_it_was_sold(oli: User) -> None:
    other = Seller.objects.create(code="other", name="Other")
    Product.objects.create(seller=other, code="10001", name="NEVER SOLD")
    bring_in(book([line(code=10001), line(code=10002)]), oli)
    sold = Product.objects.get(code="10002")
    assert OrderLine.objects.get(product__code="10001").product.seller.code == "online-retail"
    Product.objects.filter(pk=sold.pk).update(seller=other)
    OrderLine.objects.filter(product=sold).update(seller=other)
    bring_in(book([line(code=10002), line(600002, code=10002)]), oli)
    assert Product.objects.filter(code="10002").count() == 1
    assert set(OrderLine.objects.filter(product=sold).values_list("seller", flat=True)) == {
        other.pk
    }


def test_history_names_the_person_and_the_import(oli: User) -> None:
    job = bring_in(book([line()]), oli)
    row = OrderLine.history.get()
    assert (row.history_user, row.history_change_reason) == (oli, f"import {job.public_id}")


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("RETRO SPOT MUG", "Kitchen"), ("CHRISTMAS MUG", "Christmas"), ("JUMBO BAG RED", "Bags"),
        ("ZZZ", "Other"), ("", "Other"),
    ],
)  # fmt: skip
def test_category_follows_the_words(name: str, category: str) -> None:
    assert category_of(name) == category


@pytest.mark.postgres  # once is enough
@pytest.mark.skipif(not ORIGINAL.exists(), reason="needs ../shared/data")
def test_fixture_has_the_rows_of_the_original() -> None:
    pairs = zip(reader.rows(FIXTURE), reader.rows(ORIGINAL), strict=True)
    assert all(ours == theirs for ours, theirs in pairs)


def test_counter_prefers_the_first_of_the_alphabet() -> None:
    assert most_frequent(Counter({"B": 2, "A": 2, "C": 1})) == "A"
