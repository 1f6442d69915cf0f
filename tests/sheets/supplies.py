"""Models and Resources in the manner of other projects; the tables are made by who needs them."""

import sys
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from io import BytesIO
from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.core.exceptions import ValidationError
from django.db import models
from import_export.resources import ModelResource
from openpyxl import Workbook
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.sheets import formats
from sellers.models import Seller
from sellers.sheets.lists import Products
from tests.sheets.app import SheetsTests

# simple-history looks for the app of a model; this one is not installed, so it finds this module.
sys.modules["sheets_tests.models"] = sys.modules[__name__]
HEADS = ("ext_id", "name", "email", "country", "status", "amount", "ordered_at", "note")


class _Records(HistoricalRecords):  # type: ignore[misc]
    def contribute_to_class(self, cls: type[models.Model], name: str) -> None:
        super().contribute_to_class(cls, name)
        self.module = "sheets_tests.models"


class Base(models.Model):
    """What both kinds share: a key, texts, a choice, a decimal and a moment."""

    class Status(models.TextChoices):
        NEW = "new"
        ACTIVE = "active"
        CLOSED = "closed"

    ext_id = models.IntegerField(unique=True)
    name = models.CharField(max_length=100)
    email = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=2)
    status = models.CharField(max_length=10, choices=Status)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    ordered_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)
    made_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    kind = models.CharField(max_length=10, default="sheet")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.ext_id)


class Supply(Base):
    """Written by the database."""

    history = _Records(bases=[ActedFor], app="sheets_tests")
    objects: ClassVar[models.Manager["Supply"]] = models.Manager()

    class Meta:
        app_label = "sheets_tests"


class Ruled(Base):
    """Has a rule of its own, so it is written with objects."""

    history = _Records(bases=[ActedFor], app="sheets_tests")
    objects: ClassVar[models.Manager["Ruled"]] = models.Manager()

    class Meta:
        app_label = "sheets_tests"

    def clean(self) -> None:
        """Refuse large amounts of what is closed."""
        if self.status == self.Status.CLOSED and self.amount > 1_000_000:
            raise ValidationError({"amount": "Too much for what is closed."})


MODELS: tuple[Any, ...] = (Supply, Supply.history.model, Ruled, Ruled.history.model)
# These tables stand outside of migrations: a key from them to a table of ours would keep PostgreSQL
# from emptying that one between the tests of a process.
for _past in (Supply.history.model, Ruled.history.model):
    for _column in _past._meta.local_fields:
        if _column.is_relation:
            _column.db_constraint = False


class Supplies(ModelResource):  # type: ignore[misc]
    """Supplies by their own number."""

    key, title = "test-supplies", "Supplies"
    synonyms = {"ext_id": ("Supply number", "Nummer")}
    permissions = ("sheets.add_importjob",)

    class Meta:
        model = Supply
        import_id_fields = ("ext_id",)
        fields = HEADS
        skip_unchanged = True


class RuledSupplies(ModelResource):  # type: ignore[misc]
    """The same of a model with a rule."""

    key, title = "test-ruled", "Ruled supplies"
    permissions = ("sheets.add_importjob",)

    class Meta:
        model = Ruled
        import_id_fields = ("ext_id",)
        fields = HEADS
        skip_unchanged = True
        clean_model_instances = True


class PlainSellers(ModelResource):  # type: ignore[misc]
    """A model of an app that is installed."""

    key, title = "test-sellers", "Plain sellers"
    permissions = ("sheets.add_importjob",)

    class Meta:
        model = Seller
        import_id_fields = ("code",)
        fields = ("code", "name")


class RowSellers(PlainSellers):
    """With a row method, which changes nothing."""

    key, title = "test-rows", "Sellers row by row"

    class Meta:
        fields = ("code", "name", "status")

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Look at the row."""


class RowProducts(Products):
    """With a row method, which changes nothing."""

    key = "test-product-rows"

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Look at the row."""


RESOURCES = (Supplies, RuledSupplies, PlainSellers, RowSellers, RowProducts)


def app() -> AppConfig:
    """Return the app of these models, for `apps.app_configs` of what looks for them by label."""
    made = SheetsTests("tests.sheets", import_module("tests.sheets"))
    made.apps = apps
    made.import_models()
    return made


def register() -> None:
    """Register the formats; who is done takes them out again: other tests look at all there are."""
    for one in RESOURCES:
        formats.register(one)


def take_out() -> None:
    """Take the formats out."""
    for one in RESOURCES:
        formats._formats.pop(one.key)


def row(number: int, **changes: Any) -> list[Any]:
    """Return one row of a sheet of supplies."""
    values: dict[str, Any] = {
        "ext_id": number,
        "name": f"Name {number}",
        "email": f"user{number}@example.com",
        "country": ("KR", "FR", "DE", "US")[number % 4],
        "status": ("new", "active", "closed")[number % 3],
        "amount": float(Decimal(number % 1_000_000) / 100),
        "ordered_at": datetime(2020, 1, 1) + timedelta(minutes=number),  # noqa: DTZ001 - a sheet has no zones
        "note": f"note {number % 1000}",
        **changes,
    }
    return [values[name] for name in HEADS]


def book(rows: list[list[Any]], heads: tuple[str, ...] = HEADS) -> bytes:
    """Return a workbook of one sheet."""
    made = Workbook(write_only=True)
    sheet = made.create_sheet("Supplies")
    sheet.append(list(heads))
    for one in rows:
        sheet.append(one)
    file = BytesIO()
    made.save(file)
    return file.getvalue()
