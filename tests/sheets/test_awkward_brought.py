"""Real files with real quirks, brought in: what is taken, what is refused, and what is asked."""

import csv
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.sheets import answers, formats, services
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading.dialects import Dialect
from orders.models import Order
from payments.models import Payment
from sellers.models import Product
from tests.clients import signed_in
from tests.factories import AT
from tests.people import make_person, make_shop
from tests.sheets import hostile, suppliers
from tests.sheets.made import book, check, run, said
from tests.sheets.shared_data import shared

pytestmark = pytest.mark.django_db


ORPHAN = ("unknown-reference", "order")


def take(name: str, actor: User) -> ImportJob:
    path = shared(name)
    return services.take(SimpleUploadedFile(path.name, path.read_bytes()), actor)


def map_all(job: ImportJob, key: str, header: int, columns: dict[str, int], **said: str) -> None:
    """Say by place which column is which, in all chosen sheets."""
    maps = {name: SheetMapping(header, columns, constants=said) for name in job.chosen}
    services.map_columns(job, formats.get(key), maps, actor=job.owner)


def make_orders(numbers: set[str], currency: str) -> None:
    for number in sorted(numbers):
        facts: dict[str, Any] = {"country": "Brazil", "status": "paid", "total_minor": 0}
        Order.objects.create(number=number, placed_at=AT, currency=currency, **facts)


def test_s01_people_come_in_and_the_notes_around_them_do_not(oli: User, sam: User) -> None:
    job = take("awkward/s01_title_rows_and_footnotes.xlsx", oli)
    services.choose(job, ["arts", "other"], actor=oli, headers={"arts": (5, 1), "other": (5, 1)})
    columns = {"code": 0, "name": 1, "price": 2}
    map_all(job, "products", 5, columns, seller="sam-shop", currency="GBP")
    check(job)
    failed = {(sheet, row) for _code, sheet, row, _column in said(job)}
    assert failed == {(sheet, row) for sheet in ("arts", "other") for row in range(16, 20)}
    run(job)
    assert (job.total("created"), job.total("failed")) == (20, 8)
    bowie = Product.objects.get(code="David Bowie")
    assert (bowie.name, bowie.price_minor) == ("musician", 6900)
    assert not Product.objects.filter(code__contains="Some").exists()


def test_s02_columns_without_and_with_the_same_name_are_mapped_by_hand(
    oli: User, sam: User
) -> None:
    job = take("awkward/s02_blank_and_duplicate_headers.xlsx", oli)
    services.choose(job, ["Sheet1"], actor=oli, headers={"Sheet1": (1, 1)})
    assert job.mapping["Sheet1"]["columns"] == {}
    with pytest.raises(services.StateError, match="which column is which"):
        services.check(job, actor=oli)
    page = reverse("admin:import_mapping", args=[job.public_id])
    assert signed_in(oli).get(page).content.decode().count("var2") >= 2
    map_all(job, "products", 1, {"code": 0, "name": 3}, seller="sam-shop")
    run(check(job))
    assert set(Product.objects.values_list("code", "name")) == {("1", "aa"), ("2", "bb")}


def test_s06_lines_without_their_invoice_are_errors_of_their_rows(oli: User) -> None:
    name = "awkward/s06_million_row_dimension_invoices.xlsx"
    assert hostile.measured(shared(name)).seconds < 2
    job = take(name, oli)
    services.choose(job, ["Foglio1"], actor=oli, headers={"Foglio1": (1, 1)})
    map_all(job, "order-lines", 1, {"order": 0, "product": 20, "price": 15})
    check(job)
    assert said(job) == [("empty", "Foglio1", row, "order") for row in range(2, 6)]
    assert job.summary["ready"] == 0


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("s12_eu_oil_bulletin_merged_headers.xls", "_Hidden2"),
        ("s13_enron_weekly_report.xls", "EIM New Deals"),
    ],
)
def test_s12_and_s13_report_is_no_list_and_nothing_of_it_is_guessed(
    name: str, hidden: str, oli: User
) -> None:
    job = take(f"awkward/{name}", oli)
    assert (job.chosen, job.mapping, answers.is_ready(job)) == ([], {}, False)
    assert any(hidden in note for note in job.notes)
    with pytest.raises(services.StateError, match="which sheet is read"):
        services.check(job, actor=oli)
    for page in ("import_sheets", "import_mapping"):
        answer = signed_in(oli).get(reverse(f"admin:{page}", args=[job.public_id]), follow=True)
        assert answer.status_code == 200, page


def test_s18_balances_between_the_payments_are_told_and_not_taken(oli: User) -> None:
    job = take("awkward/s18_csv_named_xls.xls", oli)
    assert (job.kind, job.dialect) == ("csv", {})
    with pytest.raises(services.StateError, match="how the text"):
        services.check(job, actor=oli)
    services.read_as(job, Dialect(), actor=oli)
    with shared("awkward/s18_csv_named_xls.xls").open(encoding="utf-8") as file:
        records = [row["Record ID"] for row in csv.DictReader(file)]
    make_orders({*records} - {""}, "LTL")
    columns = {"order": 8, "reference": 4, "amount": 5, "currency": 6, "paid_at": 2}
    map_all(job, "payments", 1, columns)
    check(job)
    balances = {number for number, one in enumerate(records, 2) if not one}
    assert len(balances) >= 4
    failed = {(code, row) for code, _sheet, row, column in said(job) if column == "order"}
    assert failed == {("empty", row) for row in balances}
    run(job)
    assert Payment.objects.count() == len(records) - len(balances)


def test_k05_every_line_without_its_order_is_told(oli: User) -> None:
    oli = suppliers.keep_profiles(oli)
    orders = "local-only/k03_olist_orders_blank_tail.csv"
    lines = "local-only/k05_olist_items_orphans.csv"
    known = {row["order_id"] for row in suppliers.rows(shared(orders)) if row["order_id"]}
    wanted = [row["order_id"] for row in suppliers.rows(shared(lines)) if row["order_id"]]
    make_orders(known & {*wanted}, "BRL")
    job = check(take(lines, oli))
    assert job.profile is not None
    orphans = {number for number, one in enumerate(wanted, 2) if one not in known}
    assert len(wanted) - len(orphans) == 974
    told = {row for _code, _sheet, row, _column in said(job)}
    without = {row for code, _sheet, row, column in said(job) if (code, column) == ORPHAN}
    assert (orphans - told, without - orphans) == (set(), set())
    assert len(without) > len(orphans) / 2  # a row with two unknown references may tell the other
    assert job.summary["failed"] >= len(orphans)


def test_k07_rows_that_go_on_are_told(oli: User) -> None:
    make_shop(make_person("pat", "seller", staff=False), "partners-demo")
    job = take("local-only/k07_shopify_apparel.csv", oli)
    columns = {"seller": 3, "code": 0, "name": 1, "category": 2, "price": 19}
    map_all(job, "products", 1, columns, currency="USD")
    check(job)
    with shared("local-only/k07_shopify_apparel.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    going_on = {number for number, row in enumerate(rows, 2) if not row["Title"]}
    assert going_on <= {row for _code, _sheet, row, _column in said(job)}
    page = signed_in(oli).get(reverse("admin:import_mapping", args=[job.public_id]))
    assert page.status_code == 200


def test_value_that_a_plain_format_refuses_is_said_on_the_page(oli: User, sam: User) -> None:
    text = "A category of many words " * 7
    content = book([["A-1", "<b>Cup</b>", text]], head=("SKU", "ProductName", "Kategorie"))
    job = services.take(SimpleUploadedFile("products.xlsx", content), oli)
    services.choose(job, job.chosen or ["A"], actor=oli, headers={"A": (1, 1)})
    columns = {"code": 0, "name": 1, "category": 2}
    map_all(job, "products", 1, columns, seller="sam-shop")
    page = signed_in(oli).get(reverse("admin:import_mapping", args=[job.public_id]))
    assert (page.status_code, "it cannot be read" in page.content.decode()) == (200, True)
    assert "<b>Cup" not in page.content.decode()
    with pytest.raises(ValueError, match="it cannot be read"):
        map_all(job, "products", 1, {"code": 0, "name": 1}, seller="sam-shop", category=text)


def test_s28_header_of_five_rows_is_joined_as_its_cells_are_merged(oli: User) -> None:
    job = take("awkward/s28_three_row_header.xlsx", oli)
    (name,) = (one["name"] for one in job.sheets)
    services.choose(job, [name], actor=oli, headers={name: (5, 5)})
    (sheet,) = job.sheets
    assert sheet["headers"][:2] == ["Region", "Caloric contribution (%)"]
    upper = "Cumulative impact of changes on cost of food basket from "
    assert [text.startswith(upper) for text in sheet["headers"][2:]] == [True, True]
    assert sheet["headers"][2] != sheet["headers"][3]
    assert (sheet["rows"], sheet["header_rows"]) == (1, 5)
