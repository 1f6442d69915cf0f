"""What masks cost: a list of 100 rows and 50,000 loaded rows, with masked fields and with plain.

Run by `make bench-masking` on both databases. Both kinds of rows are asked in turn, so that a busy
machine slows both; printed are the ratio of medians and the middle half of the ratios of pairs.
Fails when the list costs more than 1.15 times the plain one, loading more than twice, or loading
and reading every masked value as text more than three times.
"""

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from django.db import connection, models
from django.test import Client
from django.urls import include, path
from pytest_django import DjangoDbBlocker, Settings

from backoffice.accounts.models import User
from backoffice.masking import masks
from backoffice.masking.fields import MaskedCharField, MaskedEmailField
from backoffice.site import BackofficeAdmin, staff_site
from tests.masking.tables import standing

ROWS = int(os.environ.get("ROWS", "50000"))
PAGES = int(os.environ.get("PAGES", "40"))
LOADS = int(os.environ.get("LOADS", "9"))
MOST_PAGE, MOST_LOAD, MOST_READ = 1.15, 2.0, 3.0
SHOWN = 100


class Masked(models.Model):
    """A customer as the reference business has one: three masked fields, two of them searched."""

    name = MaskedCharField(max_length=100, mask=masks.name)
    email = MaskedEmailField(search="exact")
    phone = MaskedCharField(max_length=40, mask=masks.phone, search="exact")
    city = models.CharField(max_length=40)
    number = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager["Masked"]] = models.Manager()

    class Meta:
        app_label = "reports"  # an installed one; no migration knows these

    def __str__(self) -> str:
        return str(self.pk)


class Plain(models.Model):
    """The same without masks, and so without indexes to search by."""

    name = models.CharField(max_length=100)
    email = models.EmailField()
    phone = models.CharField(max_length=40)
    city = models.CharField(max_length=40)
    number = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager["Plain"]] = models.Manager()

    class Meta:
        app_label = "reports"  # an installed one; no migration knows these

    def __str__(self) -> str:
        return str(self.pk)


KINDS: tuple[type[Masked | Plain], ...] = (Masked, Plain)


class Page(BackofficeAdmin):
    """The same page for both; `city` leads to the record, since a mask may not be unique."""

    list_display = ("id", "name", "email", "phone", "city")
    ordering = ("id",)
    list_per_page = SHOWN


for _model in KINDS:
    staff_site.register(_model, Page)
urlpatterns = [path("admin/", staff_site.urls), path("", include("backoffice.project.urls"))]


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make both tables."""
    with django_db_blocker.unblock(), standing(*KINDS):
        yield


@pytest.fixture
def rows(tables: None, db: None) -> None:
    """Fill both tables with the same rows."""
    for model in KINDS:
        made = [
            model(
                name=f"Anna Lind{n}",
                email=f"anna.{n}@example.com",
                phone=f"+44 7700 9{n:05}",
                city="Malmö",
                number=str(n),
            )
            for n in range(ROWS)
        ]
        manager: models.Manager[Masked | Plain] = model._default_manager
        manager.bulk_create(made, batch_size=500)


def _now() -> float:
    """Return the seconds that this process computed; what others compute does not count."""
    return time.process_time() if connection.vendor == "sqlite" else time.perf_counter()


def compare(what: str, masked: Callable[[], object], plain: Callable[[], object], n: int) -> float:
    """Time both `n` times in turn, print the ratio with its spread, and return it."""
    both: tuple[list[float], list[float]] = ([], [])
    for ask in (masked, plain):  # what is made once (queries, templates) is made now
        ask()
    for turn in range(n):
        for index in (0, 1) if turn % 2 else (1, 0):
            gc.collect()
            began = _now()
            (masked, plain)[index]()
            both[index].append(_now() - began)
    low, middle, high = statistics.quantiles([a / b for a, b in zip(*both, strict=True)], n=4)
    ratio = statistics.median(both[0]) / statistics.median(both[1])
    print(
        f"\n{connection.vendor}, {what}: {statistics.median(both[0]) * 1000:.1f} ms masked,"
        f" {statistics.median(both[1]) * 1000:.1f} ms plain: {ratio:.2f} x"
        f" (pairs: {low:.2f} {middle:.2f} {high:.2f}, n={n})"
    )
    return ratio


def test_list_costs_little_more(rows: None, settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="x"))

    def page(name: str) -> Callable[[], object]:
        def get() -> None:
            answer = client.get(f"/admin/reports/{name}/")
            assert answer.status_code == 200
            assert answer.content.count(b"Malm") >= SHOWN

        return get

    ratio = compare(f"list of {SHOWN} rows", page("masked"), page("plain"), PAGES)
    assert ratio <= MOST_PAGE


def test_loading_costs_at_most_twice(rows: None) -> None:
    def load(model: type[Masked | Plain]) -> Callable[[], object]:
        return lambda: list(model._default_manager.all())

    ratio = compare(f"{ROWS:,} rows loaded", load(Masked), load(Plain), LOADS)
    assert ratio <= MOST_LOAD


def test_reading_each_mask_costs_at_most_three_times(rows: None) -> None:
    """What loading leaves for later is done here: every mask is made into text."""

    def read(model: type[Masked | Plain]) -> Callable[[], object]:
        return lambda: [f"{row.name}{row.email}{row.phone}" for row in model._default_manager.all()]

    ratio = compare(f"{ROWS:,} rows read as text", read(Masked), read(Plain), LOADS)
    assert ratio <= MOST_READ
