"""Resources as import-export's documentation shows them leave what their own `import_data` leaves.

Table by table, total by total, each Resource twice over: the second file finds what the first made.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from import_export.resources import ModelResource
from pytest_django import DjangoDbBlocker
from tablib import Dataset

from backoffice.accounts.models import User
from backoffice.sheets import formats
from backoffice.sheets.models import ImportJob
from tests.masking.tables import standing
from tests.sheets import app, books, supplies
from tests.sheets.app import SheetsTests
from tests.sheets.books import Book, Genre, Writer
from tests.sheets.made import check, run, upload

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("book_tables")]
HEADS = ("title", "shelf", "writer", "genres", "price", "published", "in_print")
ROWS: list[list[Any]] = [
    ["Emma", "A", "Austen", "novel|love", "7.50", "23.12.1815", "1"],
    ["Ulysses", "B", "Joyce", "novel", "12.00", "02.02.1922", "0"],
    ["Persuasion", "A", "Austen", "", "", "20.12.1817", "1"],
    ["Dune", "C", "Nobody", "novel", "8.00", "01.08.1965", "1"],
    ["Odd price", "C", "Joyce", "novel", "dear", "01.01.2000", "1"],
    ["Odd date", "C", "Joyce", "love", "1.00", "2000-01-01", "1"],
]
# Without rules stock stores what the database lets it; we never do (docs/formats.md).
REFUSED: list[list[Any]] = [
    ["Large", "C", "Joyce", "love", "123456.00", "01.01.2000", "1"],
    ["x" * 41, "C", "Austen", "", "1.00", "01.01.2000", "1"],
]
AGAIN: list[list[Any]] = [
    ["Emma", "A", "Austen", "love|novel", "7.50", "23.12.1815", "1"],
    ["Ulysses", "C", "Austen", "love", "12.50", "02.02.1922", "1"],
    ["Persuasion", "A", "", "novel", "", "", "0"],
]


@pytest.fixture(scope="session")
def _tables_of_books(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), standing(*books.MODELS):
        yield


@pytest.fixture
def book_tables(_tables_of_books: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the tables, with two writers, two genres and a book."""
    # Copies of rows, which import-export makes, ask the registry for their model.
    config = SheetsTests("tests.sheets", app)
    config.apps, config.models = apps, apps.all_models[config.label]
    monkeypatch.setitem(apps.app_configs, config.label, config)
    apps.clear_cache()  # relations know each other now
    for name in ("Austen", "Joyce"):
        Writer.objects.create(name=name)
    for name in ("novel", "love"):
        Genre.objects.create(name=name)
    Book.objects.create(title="Ulysses", shelf="B", price="10.00")
    yield
    monkeypatch.undo()
    apps.clear_cache()


@pytest.fixture
def resource(request: pytest.FixtureRequest) -> Iterator[type[ModelResource]]:
    """Return a Resource that is a format for this test."""
    made: type[ModelResource] = request.param
    made.key, made.title, made.permissions = "case", "Case", ("sheets.add_importjob",)
    formats._formats["case"] = formats.plain_of(made)
    yield made
    del formats._formats["case"]


def stored() -> dict[str, list[Any]]:
    """Return all that the tables hold, without keys."""
    found = Book.objects.order_by("title", "shelf")
    names = ("title", "shelf", "writer__name", "price", "published", "in_print")
    return {
        "books": list(found.values_list(*names)),
        "genres of books": sorted(
            Book.genres.through.objects.values_list("book__title", "genre__name")
        ),
        "writers": list(Writer.objects.order_by("name").values_list("name", "seen")),
        "genres": list(Genre.objects.order_by("name").values_list("name", flat=True)),
    }


def columns(resource: type[ModelResource]) -> list[int]:
    """Return the places of the columns that the Resource reads."""
    known = {one.column_name for one in resource().get_import_fields()}
    return [place for place, name in enumerate(HEADS) if name in known]


def as_stock(resource: type[ModelResource], rows: list[list[Any]]) -> tuple[Any, dict[str, int]]:
    """Return what the Resource's own import leaves, taken back, and its totals."""
    places = columns(resource)
    dataset = Dataset(*([row[at] for at in places] for row in rows),
                      headers=[HEADS[at] for at in places])  # fmt: skip
    with transaction.atomic():
        result = resource().import_data(dataset, use_transactions=False)
        left = stored()
        transaction.set_rollback(True)
    return left, result.totals


def by_us(resource: type[ModelResource], rows: list[list[Any]], oli: User) -> ImportJob:
    """Return the import of the rows, which is done."""
    job = upload(supplies.book([list(HEADS), *rows], heads=("x", "y")), oli)
    places = {HEADS[at]: at for at in columns(resource)}
    mapping = {"header_row": 2, "columns": places}
    ImportJob.objects.filter(pk=job.pk).update(
        format="case", chosen=["Supplies"], mapping={"Supplies": mapping}
    )
    job.refresh_from_db()
    job = run(check(job))
    assert job.state == ImportJob.State.DONE, job.message
    return job


@pytest.mark.parametrize("resource", books.RESOURCES, indirect=True, ids=lambda one: one.__name__)
def test_tables_and_totals_are_those_of_import_data(
    oli: User, resource: type[ModelResource]
) -> None:
    ruled = resource._meta.clean_model_instances
    for rows in (ROWS + REFUSED if ruled else ROWS, AGAIN):
        left, totals = as_stock(resource, rows)
        job = by_us(resource, rows, oli)
        assert stored() == left
        counts = {"skipped": 0, **job.counters["book"]}
        assert counts["created"] == totals["new"]
        written, left_alone = totals["update"] + totals["delete"], totals["skip"]
        if resource._meta.skip_unchanged:
            assert counts["updated"] == written
        assert sum(counts[one] for one in ("updated", "unchanged", "skipped")) == (
            written + left_alone
        )
        assert counts["failed"] == totals["invalid"] + totals["error"]
