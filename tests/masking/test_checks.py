"""System checks that find what would tell a hidden value."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.apps import apps
from django.apps.registry import Apps
from django.contrib import admin
from django.db import models
from django.db.models import F
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Lower, Now
from pytest_django import Settings
from rest_framework.filters import OrderingFilter
from rest_framework.viewsets import ModelViewSet

from backoffice.masking import api_checks, checks
from backoffice.masking.fields import MaskedCharField, MaskedEmailField, masked_fields
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
    assert checks.check_computed(None) == []


def column(order: object) -> Callable[..., str]:
    """Return a column of a list that is ordered by something."""
    return admin.display(ordering=order)(lambda *_row: "x")  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    "options",
    [
        {"list_filter": ["email"]},
        {"list_filter": [("phone", admin.AllValuesFieldListFilter)]},
        {"list_filter": ["phone_index"]},
        {"search_fields": ["number", "^email"]},
        {"ordering": ["-name"]},
        {"ordering": [F("name").desc()]},
        {"ordering": [Lower("email")]},
        {"ordering": ["number", Coalesce("number", Lower("email")).desc()]},
        {"ordering": [models.Case(models.When(email_index="a", then=1), default=0)]},
        {
            "list_display": ["first"],
            "first": column("-name"),
        },
        {
            "list_display": ["first"],
            "first": column(Lower("name")),
        },
        {"list_display": [column("email_index")]},
        {"date_hierarchy": "email"},
        {"prepopulated_fields": {"number": ["name"]}},
    ],
)
def test_page_that_asks_by_a_masked_field(site: admin.AdminSite, options: dict[str, Any]) -> None:
    assert page(site, **options) == ["masking.E004"]


@pytest.mark.parametrize(
    "options", [{"list_filter": ["customer__email"]}, {"search_fields": ["customer__name"]}]
)
def test_page_that_asks_through_a_relation(site: admin.AdminSite, options: dict[str, Any]) -> None:
    assert page(site, Order, **options) == ["masking.E004"]


def test_column_of_the_model_is_looked_at(
    site: admin.AdminSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = property(column("email"))
    monkeypatch.setattr(Customer, "shown", shown, raising=False)
    assert page(site, list_display=["shown"]) == ["masking.E004"]


class Inline(admin.TabularInline[Customer, Order]):
    model = Customer
    readonly_fields = ("phone_index",)


@pytest.mark.parametrize(
    "options",
    [
        {"list_display": ["number", "email_index"]},
        {"fields": [("number", "email_index")]},
        {"fieldsets": [(None, {"fields": ["email_index"]})]},
        {"readonly_fields": ["email_index"]},
        {"inlines": [Inline]},
    ],
)
def test_page_that_shows_an_index(site: admin.AdminSite, options: dict[str, Any]) -> None:
    assert page(site, **options) == ["masking.E005"]


def test_page_that_shows_masks_is_fine(site: admin.AdminSite) -> None:
    options: dict[str, Any] = {"first": column(Lower("number"))}
    options |= {"list_display": ["number", "email", "first"], "search_fields": ["number"]}
    options |= {"fields": [("number", "email")], "readonly_fields": ["email"]}
    assert page(site, **options) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("ordering", ["-name"]),
        ("ordering", [Lower("email")]),
        ("ordering", ["email_index"]),
        ("get_latest_by", "born"),
    ],
)
def test_model_ordered_by_a_masked_field(
    monkeypatch: pytest.MonkeyPatch, option: str, value: object
) -> None:
    monkeypatch.setattr(Customer._meta, option, value)
    assert ids(checks.check_models(None)) == ["masking.E003"]


def computed(expression: Any) -> dict[str, Any]:
    """Return a column that the database computes."""
    text = models.CharField(max_length=99)
    return {"low": models.GeneratedField(expression=expression, output_field=text, db_persist=True)}


def indexed(*entries: models.Index | models.UniqueConstraint) -> dict[str, Any]:
    """Return the options of a model with these indexes and constraints."""
    indexes = [one for one in entries if isinstance(one, models.Index)]
    single = [one for one in entries if not isinstance(one, models.Index)]
    return {"Meta": type("Meta", (), {"indexes": indexes, "constraints": single})}


COMPUTED: list[Callable[[], dict[str, Any]]] = [
    lambda: computed(F("email")),
    lambda: computed(Lower("email")),
    lambda: computed(Coalesce("city", Lower("email"))),
    lambda: computed(F("email_index")),
    lambda: computed(models.Case(models.When(city="a", then=F("email")), default=F("city"))),
    lambda: computed(models.Case(models.When(models.Q(email_index="a"), then=1), default=0)),
    lambda: computed(RawSQL("lower(email)", [])),
    lambda: computed(Lower(RawSQL("email", []))),
    lambda: {"low": models.CharField(max_length=99, db_default=Lower("email"))},
    lambda: indexed(models.Index(Lower("email"), name="by_mail")),
    lambda: indexed(models.UniqueConstraint(Lower("city"), Lower("email"), name="by_mail")),
]
SINGLE = models.UniqueConstraint(
    fields=["email_index"], condition=~models.Q(email_index=""), name="one_mail"
)
OPEN: list[Callable[[], dict[str, Any]]] = [
    lambda: computed(Lower("city")),
    lambda: computed(RawSQL("lower(city)", [])),
    lambda: computed(models.Case(models.When(email__isnull=True, then=1), default=0)),
    lambda: {"low": models.DateTimeField(db_default=Now())},
    lambda: {"low": models.CharField(max_length=99, db_default="email")},
    lambda: indexed(models.Index(Lower("city"), name="by_city"), SINGLE),
]


@pytest.mark.parametrize(
    ("given", "found"),
    [*((one, ["masking.E011"]) for one in COMPUTED), *((one, []) for one in OPEN)],
)
def test_what_the_database_computes_from_a_masked_field(
    monkeypatch: pytest.MonkeyPatch, given: Callable[[], dict[str, Any]], found: list[str]
) -> None:
    options: dict[str, Any] = {"email": MaskedEmailField(search="exact"), **given()}
    options["city"] = models.CharField(max_length=99)
    base: Any = options.pop("Meta", object)
    meta = type("Meta", (base,), {"apps": Apps(), "app_label": "customers"})
    bases: tuple[type[Any], ...] = (models.Model,)
    gauge = type("Gauge", bases, {**options, "Meta": meta, "__module__": "customers.models"})
    monkeypatch.setattr(checks, "apps", SimpleNamespace(get_models=lambda: [gauge]))
    assert ids(checks.check_computed(None)) == found


def test_missing_key(settings: Settings) -> None:
    settings.BACKOFFICE_MASKING_INDEX_KEY = ""
    assert ids(checks.check_setting(None)) == ["masking.E006"]


class ByMail:
    """A filterset as django-filter makes it: what it asks by stands in the filters."""

    base_filters: ClassVar = {
        "number": SimpleNamespace(field_name="number"),
        "mail": SimpleNamespace(field_name="customer__email"),
    }


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 0),
        ({"search_fields": ["number"], "ordering_fields": ["number"]}, 0),
        ({"search_fields": ["=customer__email"]}, 1),
        ({"filterset_fields": ["customer__phone"]}, 1),
        ({"filterset_fields": {"customer__name": ["exact"]}}, 1),
        ({"filterset_class": ByMail}, 1),
        ({"ordering": ["-customer__name"]}, 1),
        ({"ordering_fields": ["customer__email_index"]}, 1),
        ({"queryset": Customer.objects.all(), "ordering_fields": "__all__"}, None),
        ({"queryset": Customer.objects.all(), "filter_backends": [OrderingFilter]}, None),
    ],
)
def test_view_of_the_api(options: dict[str, Any], count: int | None) -> None:
    view = type("View", (ModelViewSet,), {"queryset": Order.objects.all(), **options})
    count = len(masked_fields(Customer)) if count is None else count
    assert ids(api_checks.check_view(view)) == ["masking.E008"] * count


def test_views_of_the_project_are_found_and_have_nothing_to_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    assert api_checks.check_api(None) == []

    def look(view: Any) -> list[Any]:
        seen.append(view)
        return []

    monkeypatch.setattr(api_checks, "check_view", look)
    api_checks.check_api(None)
    assert {"CustomerViewSet", "OrderViewSet"} <= {view.__name__ for view in seen}


def test_encrypted_fields_without_a_key(settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = []
    found = set(ids(checks.check_keys(None)))
    encrypted = any(one.encrypted for model in apps.get_models() for one in masked_fields(model))
    assert found == ({"masking.E009"} if encrypted else set())


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (MaskedCharField(max_length=5, choices=[("a", "A")]), ["masking.E001"]),
        (MaskedCharField(max_length=5, unique=True), ["masking.E002"]),
        (MaskedCharField(max_length=5, unique=True, search="exact"), []),
        (MaskedCharField(max_length=5, encrypted=True, db_index=True), ["masking.E010"]),
        (MaskedCharField(max_length=5, db_index=True), []),
    ],
)
def test_field_that_cannot_be_masked(field: MaskedCharField, found: list[str]) -> None:
    field.set_attributes_from_name("field")
    field.model = Customer
    assert ids(field._check_masked()) == found
