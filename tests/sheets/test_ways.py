"""Resources of other projects, as they are: the rows that their own `import_data` would leave."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from django.db import transaction
from import_export import fields, widgets
from import_export.instance_loaders import CachedInstanceLoader
from import_export.resources import ModelResource
from tablib import Dataset

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.sheets import formats
from backoffice.sheets.models import ImportJob, ImportSpan
from backoffice.sheets.resources import SheetResource
from backoffice.sheets.writing import ways
from backoffice.sheets.writing.ways import Way
from customers.models import Customer
from orders.models import Order
from sellers.models import Seller
from tests.sheets import supplies
from tests.sheets.made import check, run, upload

pytestmark = pytest.mark.django_db
HEADS = ("code", "name")
SELLERS: list[list[Any]] = [
    ["one", "One"], ["two", "Two"], ["three", "x" * 500], ["four", " Four "], ["five", "skip me"],
    ["six", "Six"],
]  # fmt: skip


class Sellers(ModelResource):  # type: ignore[misc]
    """No hooks."""

    class Meta:
        model = Seller
        import_id_fields = ("code",)
        fields = HEADS
        clean_model_instances = True
        skip_unchanged = True


class Stripped(Sellers):
    """Changes the row before it is read."""

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Strip the name."""
        row["name"] = row["name"].strip().upper()


class Skipping(Sellers):
    """Leaves rows out."""

    def skip_row(self, instance: Any, original: Any, row: Any, *args: Any, **kwargs: Any) -> bool:
        """Skip by the name."""
        usual = super().skip_row(instance, original, row, *args, **kwargs)
        return bool(instance.name == "skip me" or usual)


class Counting(Sellers):
    """Writes rows of another model after each of its own."""

    def after_save_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        """Make a customer for each seller."""
        Customer.objects.get_or_create(number=f"S-{instance.code}")


class Whole(Sellers):
    """Changes the whole file, and reads names in its own way."""

    class Upper(widgets.CharWidget):  # type: ignore[misc]
        """Capitals."""

        def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
            """Return capitals."""
            return super().clean(value, row, **kwargs).upper()

    name = fields.Field(attribute="name", column_name="name", widget=Upper())

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """Add a row."""
        dataset.append(("seven", "Seven"))


class Looking(Sellers):
    """Finds rows without looking at the case of the key."""

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        """Return the row by its key in small letters."""
        return Seller.objects.filter(code=row["code"].lower()).first()


class Saving(Sellers):
    """Saves in its own way, and sets fields in its own way."""

    def do_instance_save(self, instance: Any, is_create: bool) -> None:  # noqa: FBT001 - as it is declared
        """Mark the name."""
        instance.name = f"{instance.name}!"
        instance.save()

    def import_field(self, field: Any, instance: Any, row: Any, *args: Any, **kwargs: Any) -> None:
        """Leave the name of one alone."""
        if not (field.column_name == "name" and row["code"] == "two"):
            super().import_field(field, instance, row, *args, **kwargs)


class Bulk(Stripped):
    """Collects, and writes in bulk: without any history."""

    class Meta:
        use_bulk = True
        batch_size = 3


class Cached(Sellers):
    """Loads all rows at once."""

    class Meta:
        instance_loader_class = CachedInstanceLoader
        skip_diff = True


class Deleting(Sellers):
    """Deletes where the name says so."""

    def for_delete(self, row: Any, instance: Any) -> bool:
        """Whether the row is to go."""
        return bool(row["name"] == "Six")


CASES = [
    (Sellers, Way.FAST), (Stripped, Way.ROWS), (Skipping, Way.ROWS), (Counting, Way.ROWS),
    (Whole, Way.ROWS), (Looking, Way.ROWS), (Saving, Way.ROWS), (Bulk, Way.ROWS),
    (Cached, Way.FAST), (Deleting, Way.ROWS),
]  # fmt: skip


@pytest.fixture
def registered(request: pytest.FixtureRequest) -> Iterator[type[ModelResource]]:
    """Register a Resource for a test."""
    resource = request.param
    resource.key, resource.title = "case", "Case"
    resource.permissions = ("sheets.add_importjob",)
    formats._formats["case"] = formats.plain_of(resource)
    yield resource
    del formats._formats["case"]


def stored() -> tuple[list[Any], list[Any], list[Any]]:
    """Return sellers, customers, and the history of sellers, without keys and times."""
    past = Seller.history.order_by("code", "history_id")
    return (
        list(Seller.objects.order_by("code").values_list("code", "name")),
        list(Customer.objects.order_by("number").values_list("number", flat=True)),
        list(past.values_list("code", "name", "history_type")),
    )


def there_already() -> None:
    """Make the rows that both find."""
    for code, name in (("two", "Two"), ("six", "Old six"), ("one", "Old one")):
        Seller.objects.create(code=code, name=name)


def as_stock(resource: type[ModelResource]) -> tuple[Any, Any]:
    """Return what the Resource's own import leaves, taken back, and its totals."""
    dataset = Dataset(*SELLERS, headers=HEADS)
    with transaction.atomic():
        there_already()
        with history.recorded() if resource._meta.use_bulk else nullcontext():
            result = resource().import_data(dataset, use_transactions=False)
        left = stored()
        transaction.set_rollback(True)
    return left, result


def by_us(oli: User) -> ImportJob:
    there_already()
    job = upload(supplies.book([list(HEADS), *SELLERS], heads=("x", "y")), oli)
    mapping = {"header_row": 2, "columns": {"code": 0, "name": 1}}
    ImportJob.objects.filter(pk=job.pk).update(
        format="case", chosen=["Supplies"], mapping={"Supplies": mapping}
    )
    job.refresh_from_db()
    return run(check(job))


@pytest.mark.parametrize(
    ("registered", "way"),
    CASES,
    indirect=["registered"],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_rows_counts_errors_and_history_are_those_of_import_data(
    oli: User, registered: type[ModelResource], way: Way
) -> None:
    expected, result = as_stock(registered)
    job = by_us(oli)
    assert job.state == ImportJob.State.DONE, job.message
    assert ways.way_of(registered).way == way
    found = stored()
    assert found[:2] == expected[:2]
    # In bulk it writes no history, and without a difference it writes what is as it was.
    if not (registered._meta.use_bulk or registered._meta.skip_diff):
        assert found[2] == expected[2]
    assert (
        Seller.history.filter(history_change_reason=job.change_reason).count() == len(found[2]) - 3
    )
    counts = job.counters["seller"]
    totals = result.totals
    assert counts["created"] == totals["new"]
    assert counts["failed"] == totals["invalid"] + totals["error"]
    assert (
        job.problems.filter(severity="failed").values("row").distinct().count() == counts["failed"]
    )
    noted = ImportSpan.objects.filter(import_job=job, model="sellers.Seller")
    assert sum(noted.values_list("rows", flat=True)) == len(found[2]) - 3


@pytest.mark.parametrize("registered", [Stripped, Counting, Whole], indirect=True)
def test_reasons_are_told(registered: type[ModelResource]) -> None:
    verdict = ways.way_of(registered)
    assert verdict.way == Way.ROWS
    assert any("own" in str(one) for one in verdict.reasons)


def test_what_methods_write_beside_carries_the_reason(oli: User) -> None:
    Counting.key = "case"
    formats._formats["case"] = formats.plain_of(Counting)
    try:
        job = by_us(oli)
    finally:
        del formats._formats["case"]
    mine = Customer.history.filter(history_change_reason=job.change_reason, history_user=oli)
    spans = ImportSpan.objects.filter(import_job=job, model="customers.Customer")
    assert mine.count() == sum(spans.values_list("rows", flat=True)) > 0


class Orders(ModelResource):  # type: ignore[misc]
    """Refers to customers by their number."""

    customer = fields.Field(
        attribute="customer", column_name="customer",
        widget=widgets.ForeignKeyWidget(Customer, "number"),
    )  # fmt: skip

    class Meta:
        model = Order
        import_id_fields = ("number",)
        fields = ("number", "customer", "placed_at", "country", "currency", "total_minor")


def test_masked_models_are_written_with_objects_and_references_are_fast() -> None:
    assert ways.way_of(Orders).way == Way.FAST

    class Customers(ModelResource):  # type: ignore[misc]
        class Meta:
            model = Customer
            import_id_fields = ("number",)
            fields = ("number", "name", "email")

    assert ways.way_of(Customers).way == Way.BULK


def declared(step: Any) -> Any:
    """Return a format of one step, not registered."""
    return type("Declared", (formats.Format,), {"key": "case", "title": "Case", "steps": (step,)})


class Told(SheetResource):
    """A step that is fine."""

    dataset, label = "sellers", "Sellers"

    class Meta:
        model = Seller
        import_id_fields = ("code",)
        fields = HEADS


class Hooked(Told):
    """A step with a method that nobody would call."""

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Never run."""


class Capital(Told):
    """A step with a widget that nobody would ask."""

    name = fields.Field(attribute="name", column_name="name", widget=Whole.Upper())


@pytest.mark.parametrize(
    ("step", "error", "said"),
    [
        (Hooked, ValueError, "its own before_import_row"),
        (Capital, ValueError, "its own widget of name"),
        (Stripped, TypeError, "is no step"),
    ],
)
def test_a_step_that_would_lose_its_methods_is_refused(
    step: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        formats.register(declared(step))
    assert "case" not in formats._formats
    formats._require_plain(declared(Told))


def test_a_plain_resource_is_for_no_tenant() -> None:
    made = type("Own", (Sellers,), {"key": "case", "title": "Case", "for_tenants": True})
    with pytest.raises(ValueError, match="cannot be for tenants"):
        formats.register(made)
    assert "case" not in formats._formats
