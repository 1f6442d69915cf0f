"""Every text of every table is a place of personal data, kept for a reason, or exempt for one."""

from typing import Any

import pytest
from django.apps import apps
from django.core import checks
from django.db import models

from backoffice.masking import masks, subjects
from backoffice.masking.fields import MaskedCharField, MaskedMixin
from backoffice.masking.indexes import BlindIndexField
from customers.models import Customer

TEXTS = (models.CharField, models.TextField, models.JSONField, models.FileField, models.BinaryField)


def texts(model: type[models.Model]) -> list[str]:
    """Return the columns of a model that could hold anything."""
    return [
        column.name
        for column in model._meta.concrete_fields
        if isinstance(column, TEXTS)
        and not column.choices
        and not isinstance(column, BlindIndexField)
        and column.name != "history_type"
    ]


def covered(model: type[models.Model]) -> set[str]:
    """Return the columns that some place erases, searches, or keeps for a reason."""
    label = model._meta.label_lower
    mine = [place for place in subjects.places() if place.model == label]
    kept = {name for place in mine for name in place.kept}
    if "*" in kept:
        return set(texts(model))
    return {name for place in mine for name in place.columns()} | kept


def test_every_text_of_every_table_is_somewhere() -> None:
    missing = [
        f"{model._meta.label}.{name}"
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and model._meta.label_lower not in subjects.exempted()
        for name in texts(model)
        if name not in covered(model)
    ]
    assert missing == []


def test_every_reason_is_said() -> None:
    reasons = [*subjects.exempted().values()]
    reasons += [why for place in subjects.places() for why in place.kept.values()]
    assert min(len(str(why)) for why in reasons) > 8


def test_masked_fields_of_the_customer_are_all_erased() -> None:
    place = subjects.find("customers.customer")
    masked = {one.name for one in Customer._meta.concrete_fields if isinstance(one, MaskedMixin)}
    assert masked <= {name for name, way in place.columns().items() if way == subjects.BLANK}


@pytest.fixture
def forgotten(request: pytest.FixtureRequest) -> Any:
    """Return a model that leads to a customer and that nobody declared; it is gone afterwards."""

    class Parcel(models.Model):  # noqa: DJ008 - nobody prints it
        customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
        door = MaskedCharField(max_length=40, mask=masks.text)

        class Meta:
            app_label = "customers"

    yield Parcel
    del apps.all_models["customers"]["parcel"]
    apps.clear_cache()


def test_forgotten_masked_field_fails_the_check(forgotten: Any) -> None:
    found = subjects.check_places(None)
    assert [(one.id, one.obj, one.level) for one in found] == [
        ("masking.E020", forgotten, checks.ERROR)
    ]
    assert "door" in found[0].msg


def test_nothing_is_forgotten() -> None:
    assert subjects.check_places(None) == []
