"""What leaves a list comes in again and changes nothing: every list that has a format.

The file is the one that the list's own export gives; its columns are found by their heads alone.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.sheets import mapping, services, staging
from backoffice.sheets.models import ImportJob, Status
from backoffice.site import staff_site
from customers.models import Customer
from orders.models import Order
from payments.models import LedgerEntry, Payment
from payments.services import past
from payments.states import SHEET
from sellers.models import Product, Seller
from tests.clients import signed_in
from tests.factories import AT, make_customer, make_order, make_payment
from tests.people import allow
from tests.sheets import made

pytestmark = pytest.mark.django_db
RIGHTS = (
    "customers.export_customer", "customers.import_customer", "customers.view_customer",
    "sellers.export_seller", "sellers.export_product", "orders.export_order",
    "payments.view_payment", "payments.export_payment", "payments.import_payment",
)  # fmt: skip


@dataclass
class List:
    """A list that has a format."""

    model: Any
    form: str


LISTS = (
    List(Customer, "customers"),
    List(Seller, "sellers"),
    List(Product, "products"),
    List(Order, "orders"),
    List(Payment, "payments"),
)


@pytest.fixture
def user(oli: User) -> User:
    """Return somebody of operations who may take all of it out and bring it in."""
    for right in RIGHTS:
        oli = allow(oli, right)
    return oli


@pytest.fixture
def business(user: User) -> None:
    """Make a few of each, awkward where people are."""
    make_customer(
        number="007", name="=HYPERLINK(1)", email="ann@example.com", phone="+49 30 0074321",
        address="Obere Str. 57, 12209 Berlin", country="Germany",
    )  # fmt: skip
    make_customer(number="1E5", name="Åsa Ö", phone="0049", country="")
    shops = [
        Seller.objects.create(code="007", name="'quoted'", status=Seller.Status.PAUSED),
        Seller.objects.create(code="cups", name="Cups, plates\nand more"),
    ]
    for shop, (code, minor, coin) in zip(
        (*shops, shops[1]),
        (("0010", 1_250, "GBP"), ("0010", 1_000, "KRW"), ("-5", None, "EUR")),
        strict=True,
    ):
        Product.objects.create(
            seller=shop, code=code, name="+ Cup", category="Kitchen", price_minor=minor,
            currency=coin, status=Product.Status.RETIRED,
        )  # fmt: skip
    order = make_order(1_000, 250, customer=Customer.objects.get(number="007"))
    make_order(100, status=Order.Status.CANCELLED)
    payment = Payment.objects.create(
        order=order, gateway=SHEET, reference="0001", method="boleto", currency="GBP",
        captured_minor=1_250, captured_at=AT,
    )  # fmt: skip
    past.book_past([payment], actor=user)


def taken_out(user: User, one: List, kind: str, *, as_stored: bool) -> bytes:
    """Return the file that the list's export gives."""
    page = staff_site._registry[one.model]
    names = list(dict.fromkeys([*page.list_display, *page.export_fields]))
    asked = {"format": kind, "column": names, "reason": "round trip"}
    if as_stored:
        asked["stored"] = "on"
    url = reverse(f"admin:{one.model._meta.app_label}_{one.model._meta.model_name}_export")
    answer: Any = signed_in(user).post(url, asked)
    assert answer.status_code == 200, answer.content[:300]
    return b"".join(answer.streaming_content)


def brought_back(user: User, content: bytes, kind: str) -> ImportJob:
    """Upload the file and check it by the mapping that was found."""
    file = SimpleUploadedFile(f"list.{kind}", content)
    return made.check(services.take(file, user))


def everything(one: List) -> list[Any]:
    return [list(one.model.objects.order_by("pk").values()), one.model.history.count()]


@pytest.mark.usefixtures("business")
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("one", LISTS, ids=lambda one: one.form)
def test_what_leaves_comes_in_as_it_was(user: User, one: List, kind: str) -> None:
    before = everything(one)
    job = brought_back(user, taken_out(user, one, kind, as_stored=True), kind)
    assert job.format == one.form
    assert job.state == ImportJob.State.CHECKED, (job.state, job.message)
    assert made.said(job) == []
    (sheet,) = job.mapping.values()
    found = mapping.SheetMapping.from_json(sheet)
    assert set(found.columns) >= NEEDED[one.form]
    totals = staging.totals(job)
    counted = {status: count for counts in totals.values() for status, count in counts.items()}
    assert {status: count for status, count in counted.items() if count} == {
        Status.UNCHANGED: one.model.objects.count()
    }
    made.run(job)
    assert job.state == ImportJob.State.DONE, job.message
    assert (job.created, job.total("updated")) == (0, 0)
    assert everything(one) == before


NEEDED = {
    "customers": {"number", "name", "email", "phone", "address", "country"},
    "sellers": {"code", "name", "status"},
    "products": {"seller", "code", "name", "category", "price", "currency", "status"},
    "orders": {"number", "customer", "placed_at", "status", "country", "currency"},
    "payments": {"order", "reference", "method", "amount", "currency", "paid_at"},
}


@pytest.mark.usefixtures("business")
def test_words_of_states_come_in_as_well(user: User) -> None:
    shops = List(Seller, "sellers")
    before = everything(shops)
    content = taken_out(user, shops, "csv", as_stored=False)
    assert b"Paused" in content
    job = made.run(brought_back(user, content, "csv"))
    assert (job.total("unchanged"), job.total("failed")) == (Seller.objects.count(), 0)
    assert everything(shops) == before


@pytest.mark.usefixtures("business")
def test_one_cell_that_was_changed_is_the_only_change(user: User) -> None:
    """The proof above can fail: what somebody types into the file is told apart from a mask."""
    content = taken_out(user, List(Customer, "customers"), "csv", as_stored=True)
    assert b"Germany" in content
    job = brought_back(user, content.replace(b"Germany", b"Austria"), "csv")
    made.run(job)
    assert (job.created, job.total("updated"), job.total("failed")) == (0, 1, 0)
    changed = Customer.objects.get(number="007")
    assert changed.country == "Austria"
    first, last = changed.history.earliest(), changed.history.latest()
    for name in ("name", "email", "phone", "address"):
        field: Any = Customer._meta.get_field(name)
        stored = field.get_prep_value
        assert stored(getattr(first, name)) == stored(getattr(last, name)), name


def test_a_payment_that_a_gateway_captured_is_not_paid_twice(user: User) -> None:
    payment = make_payment(make_order(1_000))
    payments = List(Payment, "payments")
    before = (everything(payments), LedgerEntry.objects.count())
    job = brought_back(user, taken_out(user, payments, "csv", as_stored=True), "csv")
    assert [code for code, *_place in made.said(job)] == ["captured-here"]
    made.run(job)
    assert (everything(payments), LedgerEntry.objects.count()) == before
    assert Payment.objects.get() == payment
