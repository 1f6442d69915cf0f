"""Rows by the methods of a Resource: no more is told, no more is written than in bulk."""

from collections.abc import Iterator
from typing import Any

import pytest
from import_export.fields import Field
from import_export.resources import ModelResource
from import_export.widgets import ForeignKeyWidget
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.masking import existence
from backoffice.sheets import formats
from backoffice.sheets.models import ImportJob
from backoffice.sheets.writing import byrow
from sellers.models import Product, Seller
from tests.masking.models import Login
from tests.sheets.made import book, check, run, said, upload

pytestmark = pytest.mark.django_db
TAKEN = "qzholder@example.com"


class Rowwise(ModelResource):  # type: ignore[misc]
    """With a row method that changes nothing."""

    key, title, permissions = "test-rowwise", "Rows", ("sheets.add_importjob",)

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Look at the row."""


class Logins(Rowwise):
    """Of a model with masked values that no two rows share."""

    class Meta:
        model = Login
        import_id_fields = ("id",)
        fields = ("id", "email")
        skip_diff = True


class Shops(Rowwise):
    """Leaves out the rows without a name before it begins."""

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """Take out what has no name."""
        kept = [row for row in dataset if row[1]]
        dataset.wipe()
        dataset.headers = ["code", "name"]
        for row in kept:
            dataset.append(row)

    class Meta:
        model = Seller
        import_id_fields = ("code",)
        fields = ("code", "name")


class Goods(Rowwise):
    """Makes the shop of a product, when its row says so, for the rows below."""

    seller = Field(
        attribute="seller", column_name="seller", widget=ForeignKeyWidget(Seller, "code")
    )

    class Meta:
        model = Product
        import_id_fields = ("code",)
        fields = ("code", "name", "seller")

    def after_import_row(self, row: Any, row_result: Any, **kwargs: Any) -> None:
        """Make a shop that is called like the product."""
        Seller.objects.get_or_create(code=row["code"], defaults={"name": row["name"]})


@pytest.fixture
def declared(request: pytest.FixtureRequest) -> Iterator[None]:
    """Declare a Resource for a test."""
    formats._formats[Rowwise.key] = formats.plain_of(request.param)
    yield
    del formats._formats[Rowwise.key]


def given(oli: User, head: tuple[str, ...], *rows: list[Any], mode: str = "both") -> ImportJob:
    job = upload(book(rows, head=head), oli)
    mapping = {"header_row": 1, "columns": {name: at for at, name in enumerate(head)}}
    ImportJob.objects.filter(pk=job.pk).update(
        format=Rowwise.key, chosen=["A"], mapping={"A": mapping}, mode=mode
    )
    job.refresh_from_db()
    return check(job)


@pytest.mark.usefixtures("tables", "declared")
@pytest.mark.parametrize("declared", [Logins], indirect=True)
def test_over_the_cap_nobody_is_told_whether_a_value_is_taken(
    oli: User, settings: Settings
) -> None:
    settings.BACKOFFICE_TAKEN_PER_DAY = 3
    Login.objects.create(email=TAKEN)
    rows = [[100, TAKEN], [101, "qzfree1@example.com"], [102, TAKEN]]
    job = given(oli, ("id", "email"), *rows)
    assert [one[0] for one in said(job)] in (["refused"] * 2, ["invalid"] * 2)
    assert len(Event.objects.filter(verb=existence.TOLD)) == 2
    run(job)
    assert len(Event.objects.filter(verb=existence.TOLD)) == 3
    assert "too-often" in [one[0] for one in said(job)]
    again = given(oli, ("id", "email"), [103, TAKEN], [104, "qzfree2@example.com"])
    assert [one[0] for one in said(again)] == ["too-often"] * 2
    assert len(Event.objects.filter(verb=existence.TOLD)) == 3


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("declared", [Shops], indirect=True)
def test_new_rows_only_changes_no_row_whatever_the_check_saw(oli: User) -> None:
    Seller.objects.create(code="old", name="Old")
    rows = [["nameless", ""], ["late", "Ours"], ["old", "Ours"], ["new", "Ours"]]
    job = given(oli, ("code", "name"), *rows, mode="create")
    Seller.objects.create(code="late", name="Came meanwhile")
    run(job)
    names = dict(Seller.objects.values_list("code", "name"))
    assert (names["old"], names["late"], names["new"]) == ("Old", "Came meanwhile", "Ours")
    assert (job.counters["seller"]["created"], job.counters["seller"]["updated"]) == (1, 0)
    assert job.counters["seller"]["skipped"] == 2


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("declared", [Goods], indirect=True)
@pytest.mark.parametrize("together", [200, 1])
def test_rows_see_those_above_however_slow_the_machine(
    oli: User, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(byrow, "_SECONDS", 0.000001)
    monkeypatch.setattr(byrow, "_TOGETHER", together)
    Seller.objects.create(code="first", name="First")
    rows = [["a", "A", "first"], ["b", "B", "a"], ["c", "C", "b"]]
    job = given(oli, ("code", "name", "seller"), *rows)
    expected = [] if together == 200 else [("no-such-record-yet", "A", n, "") for n in (3, 4)]
    assert said(job) == expected
    monkeypatch.undo()
    run(job)
    assert (job.counters["product"]["created"], Product.objects.count()) == (3, 3)


def test_a_list_of_products_with_prices_is_written_by_the_database(oli: User) -> None:
    Seller.objects.create(code="shop", name="Shop")
    head = ("seller", "code", "name", "price", "currency")
    rows: list[list[Any]] = [
        ["shop", "a", "A", 12.5, "GBP"], ["shop", "b", "B", 12.5, "JPY"],
        ["shop", "c", "C", "12", "JPY"], ["shop", "d", "D", 1, None],
    ]  # fmt: skip
    job = upload(book(rows, head=head), oli)
    mapping = {"header_row": 1, "columns": {name: at for at, name in enumerate(head)}}
    ImportJob.objects.filter(pk=job.pk).update(
        format="products", chosen=["A"], mapping={"A": mapping}
    )
    job.refresh_from_db()
    check(job)
    assert job.ways["product"]["way"] == "fast"
    messages = [one.params["message"] for one in job.problems.filter(column="price")]
    assert messages == [
        "This is no amount in JPY.",
        "The currency is missing: choose its column, or type it.",
    ]
    run(job)
    found = Product.objects.order_by("code").values_list("code", "price_minor", "currency")
    assert list(found) == [("a", 1250, "GBP"), ("c", 12, "JPY")]
    assert Product.history.filter(history_change_reason=job.change_reason).count() == 2
