"""The difference: old and new values, masked, for who may see them, in a few queries."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.sheets import formats, staging
from backoffice.sheets.models import ImportJob
from backoffice.sheets.resources import Field, ForeignKeyWidget, ModelResource
from sellers.models import Product, Seller
from tests.clients import signed_in
from tests.factories import make_customer, make_seller
from tests.people import allow, make_person
from tests.sheets.made import book, check, line, upload

pytestmark = pytest.mark.django_db
HEAD = ("seller", "code", "name", "category", "price_minor", "currency", "status")
PEOPLE = ("number", "name", "email")


class Goods(ModelResource):  # type: ignore[misc]
    """Products of a shop, written by columns."""

    key = "goods"
    seller = Field(
        attribute="seller", column_name="seller", widget=ForeignKeyWidget(Seller, "code")
    )

    class Meta:
        model = Product
        import_id_fields = ("seller", "code")
        fields = HEAD


@pytest.fixture(autouse=True)
def goods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the lists of this module be read as goods."""
    known = {key: form for key, form in formats._formats.items() if key != "products"}
    monkeypatch.setattr(formats, "_formats", known)
    formats.register(Goods)


def page(client: Any, job: ImportJob, query: str = "") -> str:
    address = reverse("admin:import_difference", kwargs={"number": job.public_id})
    answer = client.get(address + query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def make_product(**values: Any) -> Product:
    """Return a new product with a code of its own."""
    number = Product.objects.count() + 1
    known = {"code": f"P-{number}", "name": "Cup", "price_minor": 250, "currency": "GBP"}
    return Product.objects.create(seller=make_seller(), **{**known, **values})


def products(*rows: list[Any], by: User) -> ImportJob:
    """Return the checked import of a list of products."""
    return check(upload(book(rows, head=HEAD), by, "products.xlsx"))


def row_of(product: Product, **changes: Any) -> list[Any]:
    values = {
        "seller": product.seller.code, "code": product.code, "name": product.name,
        "category": product.category, "price_minor": product.price_minor,
        "currency": product.currency, "status": product.status, **changes,
    }  # fmt: skip
    return [values[name] for name in HEAD]


@pytest.fixture
def oli(oli: User) -> User:
    for name in ("sellers.add_product", "sellers.change_product", "sellers.view_product",
                 "customers.import_customer", "customers.view_customer"):  # fmt: skip
        oli = allow(oli, name)
    return oli


def test_changed_fields_stand_with_old_and_new_value(oli: User) -> None:
    cup = make_product(name="Cup", price_minor=250, currency="GBP")
    job = products(row_of(cup, price_minor=375, name="Mug"), by=oli)
    shown = page(signed_in(oli), job)
    for text in ("£2.50", "£3.75", "<del>Cup</del>", "<ins>Mug</ins>"):
        assert text in shown, text
    assert reverse("admin:sellers_product_change", args=[cup.pk]) in shown
    assert "£2.50" not in page(signed_in(oli), job, "?status=new")
    assert job.summary["fields"]["product"] == {"name": 1, "price_minor": 1}


def test_old_values_are_those_of_now(oli: User) -> None:
    cup = make_product(name="Cup")
    job = products(row_of(cup, name="Mug"), by=oli)
    cup.name = "Beaker"
    cup.save()
    assert "<del>Beaker</del>" in page(signed_in(oli), job)
    cup.name = "Mug"
    cup.save()
    assert "as the file has it by now" in page(signed_in(oli), job)


def test_filters_and_counts(oli: User) -> None:
    cup, pot = make_product(name="Cup"), make_product(name="Pot")
    job = products(
        row_of(cup, name="Mug"), row_of(pot), row_of(pot, code="NEW-1", name="Jug"),
        row_of(pot, code="NEW-2", status="nonsense"), by=oli,
    )  # fmt: skip
    totals = staging.totals(job)["product"]
    counts = {one.name: count for one, count in totals.items() if count}
    assert counts == {"NEW": 1, "CHANGED": 1, "UNCHANGED": 1, "FAILED": 1}
    client = signed_in(oli)
    assert "Jug" in page(client, job, "?status=new")
    assert "Mug" not in page(client, job, "?status=new")
    assert pot.code in page(client, job, "?status=unchanged")
    failed = page(client, job, "?status=failed")
    assert "Jug" not in failed
    assert "sheets-wrongs" in failed
    both = page(client, job, "?status=all")
    assert "Jug" in both
    assert "Mug" in both


@pytest.mark.parametrize("query", ["", "?status=new", "?status=all"])
def test_masked_values_are_masks_on_both_sides(oli: User, query: str) -> None:
    make_customer(number="77001", name="Ada Lovelace", email="ada.lovelace@example.com")
    rows = [["77001", "Grace Hopper-Murray", "grace.hopper@example.org"],
            ["77002", "Hedy Lamarr-Kiesler", "hedy.lamarr@example.org"]]  # fmt: skip
    job = check(upload(book(rows, head=PEOPLE), oli, "customers.xlsx"))
    assert job.format == "customers"
    shown = page(signed_in(oli), job, query)
    assert "77002" in shown if "?" in query else "A••••• L•••••" in shown
    for clear in ("Lovelace", "Hopper", "Lamarr", "ada.l", "grace", "hedy"):
        assert clear not in shown, clear


def test_who_may_not_view_the_model_sees_counts_alone(oli: User) -> None:
    cup = make_product(name="Porcelain")
    job = products(row_of(cup, name="Stoneware"), by=oli)
    viewer = allow(make_person("vera"), "sheets.view_importjob")
    shown = page(signed_in(viewer), job)
    assert "You may not view these records" in shown
    assert "Porcelain" not in shown
    assert "Stoneware" not in shown
    assert "Changed <b>1</b>" in shown
    assert "Porcelain" in page(signed_in(allow(viewer, "sellers.view_product")), job)


def test_row_out_of_sight_is_named_by_nothing(oli: User, monkeypatch: pytest.MonkeyPatch) -> None:
    cup = make_product(name="Porcelain", code="SECRET-1")
    job = products(row_of(cup, name="Stoneware"), by=oli)
    monkeypatch.setattr(
        "backoffice.sheets.admin.changes.scope", lambda _user, rows: rows.exclude(pk=cup.pk)
    )
    shown = page(signed_in(oli), job)
    assert "a record that you may not see" in shown
    for text in ("Porcelain", "Stoneware", "SECRET-1"):
        assert text not in shown, text


def test_page_asks_as_often_for_three_rows_as_for_one(oli: User) -> None:
    cups = [make_product(name=f"Cup {number}") for number in range(3)]
    client = signed_in(oli)
    asked = []
    for some in (cups[:1], cups):
        job = products(*(row_of(cup, name=f"{cup.name} new") for cup in some), by=oli)
        page(client, job)
        with CaptureQueriesContext(connection) as queries:
            shown = page(client, job)
        assert shown.count("<ins>") == len(some)
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_all_data_sets_of_a_derived_format_have_a_tab(oli: User) -> None:
    job = check(upload(book([line(), line(600002, 10002)]), oli))
    client = signed_in(oli)
    shown = page(client, job)
    for label in ("Customers", "Orders", "Order lines"):
        assert label in shown, label
    lines = page(client, job, "?set=order_lines&status=new")
    assert "ENAMEL CUP" in lines
    assert "£2.50" in lines


def test_difference_goes_with_the_file(oli: User) -> None:
    job = products(row_of(make_product(), name="Mug"), by=oli)
    staging.forget(job)
    assert "not kept any more" in page(signed_in(oli), job)


def test_mask_that_comes_back_changes_nothing(oli: User) -> None:
    known = make_customer(number="77001", name="Ada Lovelace", email="ada@example.com")
    rows = [["77001", str(known.name), "new.address@example.org"]]
    job = check(upload(book(rows, head=PEOPLE), oli, "customers.xlsx"))
    assert job.summary["brings"]["customer"] == {"email": 1}
    assert "A••••• L•••••" not in page(signed_in(oli), job)
