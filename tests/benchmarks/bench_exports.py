"""What exports cost beside stock django-import-export: ratios of one run, on both databases.

Run by `make bench-exports`. Rows have eight columns (number, name, e-mail, state, amount, time,
country, note). Stock is measured on fewer rows and counted up: it is linear, or worse. Times are
seconds of this process on SQLite, of the clock on PostgreSQL, where another process works too.
Each pair is measured in turn, three times; the medians are compared.

Fails when csv is less than 10 times as fast as stock (50 where COPY serves, 4 with masks), xlsx
less than 15 times and less than 5 times xlsxwriter, when the
first byte takes 50 ms, or when memory grows from a tenth of the rows to all of them.

    ROWS=100000 LONG=1000000 STOCK=5000 TURNS=3 make bench-exports
"""

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
import xlsxwriter
from django.db import connection, models
from django.test import RequestFactory
from import_export.formats import base_formats
from import_export.resources import ModelResource
from pytest_django import DjangoDbBlocker

from backoffice.masking import masks
from backoffice.masking.fields import MaskedCharField, MaskedEmailField
from backoffice.sheets.exporting import exports
from backoffice.site import BackofficeAdmin, staff_site
from backoffice.site.extracts import Extract
from tests.masking.tables import standing

ROWS = int(os.environ.get("ROWS", "100000"))
LONG = int(os.environ.get("LONG", "1000000"))
STOCK = int(os.environ.get("STOCK", "5000"))
TURNS = int(os.environ.get("TURNS", "3"))
LEAST_CSV, LEAST_COPY, LEAST_XLSX, LEAST_XLSXWRITER = 10, 50, 15, 5
# Making masks takes both the same time, which stock hides behind its own.
LEAST_MASKED = 4
MOST_FIRST, MOST_GROWTH = 0.05, 12.0
COLUMNS = ["number", "name", "email", "state", "amount", "at", "country", "note"]


class Taken(models.Model):
    """A row without masks: what COPY can serve."""

    number = models.IntegerField()
    name = models.CharField(max_length=100)
    email = models.EmailField()
    state = models.CharField(max_length=10, choices=[("new", "New"), ("old", "Old")])
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    at = models.DateTimeField()
    country = models.CharField(max_length=40)
    note = models.TextField()

    objects: ClassVar[models.Manager["Taken"]] = models.Manager()

    class Meta:
        app_label = "reports"  # an installed one; no migration knows these

    def __str__(self) -> str:
        return str(self.pk)


class TakenMasked(models.Model):
    """The same with two masked fields, whose masks are made row by row."""

    number = models.IntegerField()
    name = MaskedCharField(max_length=100, mask=masks.name)
    email = MaskedEmailField()
    state = models.CharField(max_length=10, choices=[("new", "New"), ("old", "Old")])
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    at = models.DateTimeField()
    country = models.CharField(max_length=40)
    note = models.TextField()

    objects: ClassVar[models.Manager["TakenMasked"]] = models.Manager()

    class Meta:
        app_label = "reports"  # an installed one; no migration knows these

    def __str__(self) -> str:
        return str(self.pk)


MODELS: tuple[type[models.Model], ...] = (Taken, TakenMasked)


class Page(BackofficeAdmin):
    """The page of the list that is taken out."""

    list_display = tuple(COLUMNS)
    ordering = ("id",)
    export_fields: ClassVar[list[str]] = COLUMNS


for _model in MODELS:
    staff_site.register(_model, Page)


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make both tables, and fill them."""
    with django_db_blocker.unblock(), standing(*MODELS):
        fill(Taken, LONG)
        fill(TakenMasked, ROWS)
        yield


def fill(model: type[models.Model], rows: int) -> None:
    """Write rows as fast as the database counts."""
    table, series = model._meta.db_table, "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n+1"
    series += f" FROM s WHERE n < {rows})"
    at = "'2024-01-01 12:00:00'"
    if connection.vendor == "postgresql":
        at = "timestamptz '2024-01-01 12:00:00+00' + (n % 86400) * interval '1 second'"
    with connection.cursor() as cursor:
        cursor.execute("SET client_min_messages = warning") if connection.vendor != "sqlite" else 0
        cursor.execute(
            f"{series} INSERT INTO {table} ({', '.join(COLUMNS)}) SELECT n, 'Anna Lind' || n, "  # noqa: S608
            f"'anna.' || n || '@example.com', CASE n % 2 WHEN 0 THEN 'new' ELSE 'old' END, "
            f"(n % 10000) * 0.01, {at}, 'Sweden', 'note & more ' || n FROM s"
        )


def extract(model: type[models.Model], rows: int) -> Extract:
    """Return the rows of the list, as its page gives them."""
    page, found = staff_site._registry[model], model._default_manager.order_by("pk")
    request = RequestFactory().get("/")
    return Extract(page, request, found.filter(number__lte=rows), COLUMNS)


def ours(kind: str, model: type[models.Model], rows: int) -> int:
    """Write the file; return its size in bytes."""
    source = extract(model, rows)
    return sum(map(len, exports.PARTS[kind]("rows", source.heads, source)))


def by_rows(model: type[models.Model], rows: int) -> int:
    """Write csv without COPY."""
    source = extract(model, rows)
    lines = exports.csv_lines(source.heads, iter(source))
    return sum(len(text.encode()) for text in lines)


def stock(kind: type[base_formats.Format], model: type[models.Model], rows: int) -> int:
    """Write the file as import-export does."""
    found = model._default_manager.order_by("pk").filter(number__lte=rows)
    meta = type("Meta", (), {"fields": COLUMNS, "model": model})
    resource = type("Rows", (ModelResource,), {"Meta": meta})()
    return len(kind().export_data(resource.export(queryset=found)))


def by_xlsxwriter(rows: Iterable[Any]) -> int:
    """Write the rows with xlsxwriter at its leanest."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "book.xlsx"
        options = {"constant_memory": True, "remove_timezone": True}
        book = xlsxwriter.Workbook(str(path), options)
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            for place, value in enumerate(row):
                if place == COLUMNS.index("at"):
                    sheet.write_datetime(number, place, value, day)
                else:
                    sheet.write(number, place, value)
        book.close()
        return path.stat().st_size


def now() -> float:
    """Return seconds: of this process where it does all the work."""
    return time.process_time() if connection.vendor == "sqlite" else time.perf_counter()


def seconds_a_row(write: Callable[[int], int], rows: int) -> float:
    """Return the seconds that a row takes."""
    gc.collect()
    began = now()
    assert write(rows) > rows
    return (now() - began) / rows


def compare(
    what: str, fast: Callable[[int], int], slow: Callable[[int], int], least: float
) -> None:
    """Measure both in turn, print the ratio, and fail when it is less than `least`."""
    both: tuple[list[float], list[float]] = ([], [])
    for _turn in range(TURNS):
        both[0].append(seconds_a_row(fast, ROWS))
        both[1].append(seconds_a_row(slow, STOCK))
    ours_, theirs = (statistics.median(times) * 100_000 for times in both)
    print(
        f"\n{connection.vendor}, {what}: {ours_:.2f} s for 100,000 rows, beside {theirs:.2f} s"
        f" (from {STOCK:,} rows): {theirs / ours_:.1f} x, at least {least} x"
    )
    assert theirs / ours_ >= least


CSV, XLSX = base_formats.CSV, base_formats.XLSX
pytestmark = pytest.mark.django_db


def test_csv(tables: None) -> None:
    copied = connection.vendor == "postgresql"
    name, least = ("csv by COPY", LEAST_COPY) if copied else ("csv", LEAST_CSV)
    compare(name, lambda n: ours("csv", Taken, n), lambda n: stock(CSV, Taken, n), least)


def test_csv_by_rows(tables: None) -> None:
    compare(
        "csv by rows", lambda n: by_rows(Taken, n), lambda n: stock(CSV, Taken, n), LEAST_CSV
    )  # fmt: skip


def test_masked_csv(tables: None) -> None:
    compare(
        "csv with two masked columns",
        lambda n: ours("csv", TakenMasked, n),
        lambda n: stock(CSV, TakenMasked, n),
        LEAST_MASKED,
    )


def test_xlsx(tables: None) -> None:
    compare(
        "xlsx", lambda n: ours("xlsx", Taken, n), lambda n: stock(XLSX, Taken, n), LEAST_XLSX
    )  # fmt: skip


def test_xlsx_beside_xlsxwriter(tables: None) -> None:
    compare(
        "xlsx beside xlsxwriter",
        lambda n: ours("xlsx", Taken, n),
        lambda n: by_xlsxwriter(extract(Taken, n)),
        LEAST_XLSXWRITER,
    )


@pytest.mark.parametrize("kind", list(exports.PARTS))
def test_first_byte(tables: None, kind: str) -> None:
    times = []
    for _turn in range(5):
        source = extract(Taken, LONG)
        began = time.perf_counter()
        parts = exports.PARTS[kind]("rows", source.heads, source)
        assert next(part for part in parts if part)
        times.append(time.perf_counter() - began)
        parts.close()  # type: ignore[attr-defined]
    first = statistics.median(times)
    print(f"\n{connection.vendor}, {kind}: first byte after {first * 1000:.1f} ms")
    assert first <= MOST_FIRST


def own_memory() -> float:
    """Return the megabytes that are this process's alone (pages of the database file are not)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


def peak(kind: str, rows: int) -> tuple[float, float]:
    """Write so many rows; return the highest memory meanwhile in MB, and the rows a second."""
    gc.collect()
    highest, source, began = own_memory(), extract(Taken, rows), time.perf_counter()
    for _part in exports.PARTS[kind]("rows", source.heads, source):
        highest = max(highest, own_memory())
    return highest, rows / (time.perf_counter() - began)


@pytest.mark.parametrize("kind", list(exports.PARTS))
def test_memory_stays_flat(tables: None, kind: str) -> None:
    peak(kind, LONG // 100)  # what is loaded once
    few, _rate = peak(kind, LONG // 10)
    many, rate = peak(kind, LONG)
    print(
        f"\n{connection.vendor}, {kind}: {few:.0f} MB for {LONG // 10:,} rows, {many:.0f} MB for"
        f" {LONG:,}; {rate:,.0f} rows a second"
    )
    assert many - few <= MOST_GROWTH
