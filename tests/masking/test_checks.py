"""System checks that find what would tell a hidden value."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import F
from pytest_django import Settings

from backoffice.masking import checks
from backoffice.masking.fields import MaskedCharField
from customers.models import Customer
from orders.models import Order


@pytest.fixture
def site() -> Iterator[admin.AdminSite]:
    site = admin.AdminSite(name="checked")
    yield site
    admin.sites.all_sites.discard(site)


def ids(found: list[Any]) -> list[str]:
    return [str(message.id) for message in found]


def page(site: admin.AdminSite, model: type[Any] = Customer, **options: Any) -> list[str]:
    """Return what is found about a page with these options."""
    options = {"ordering": ["number"], **options}
    site.register(model, type("PageAdmin", (admin.ModelAdmin,), options))
    return ids(checks.check_pages(None))


def test_project_as_it_is_has_nothing_to_report() -> None:
    assert checks.check_pages(None) + checks.check_models(None) + checks.check_setting(None) == []


@pytest.mark.parametrize(
    "options",
    [
        {"list_filter": ["email"]},
        {"list_filter": [("phone", admin.AllValuesFieldListFilter)]},
        {"list_filter": ["phone_index"]},
        {"search_fields": ["number", "^email"]},
        {"ordering": ["-name"]},
        {"ordering": [F("name").desc()]},
        {"date_hierarchy": "email"},
    ],
)
def test_page_that_asks_by_a_masked_field(site: admin.AdminSite, options: dict[str, Any]) -> None:
    assert page(site, **options) == ["masking.E004"]


@pytest.mark.parametrize(
    "options", [{"list_filter": ["customer__email"]}, {"search_fields": ["customer__name"]}]
)
def test_page_that_asks_through_a_relation(site: admin.AdminSite, options: dict[str, Any]) -> None:
    assert page(site, Order, **options) == ["masking.E004"]


def test_page_that_shows_an_index(site: admin.AdminSite) -> None:
    assert page(site, list_display=["number", "email_index"]) == ["masking.E005"]


def test_page_that_shows_masks_is_fine(site: admin.AdminSite) -> None:
    assert page(site, list_display=["number", "email"], search_fields=["number"]) == []


def test_model_ordered_by_a_masked_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Customer._meta, "ordering", ["-name"])
    assert ids(checks.check_models(None)) == ["masking.E003"]


def test_missing_key(settings: Settings) -> None:
    settings.BACKOFFICE_MASKING_INDEX_KEY = ""
    assert ids(checks.check_setting(None)) == ["masking.E006"]


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (MaskedCharField(max_length=5, choices=[("a", "A")]), ["masking.E001"]),
        (MaskedCharField(max_length=5, unique=True), ["masking.E002"]),
        (MaskedCharField(max_length=5, unique=True, search="exact"), []),
    ],
)
def test_field_that_cannot_be_masked(field: MaskedCharField, found: list[str]) -> None:
    field.set_attributes_from_name("field")
    assert ids(field._check_masked()) == found
