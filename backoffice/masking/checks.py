"""System checks that no page, order or setting tells what a mask hides.

``masking.E001`` a masked field with choices · ``E002`` unique without search (both in `mixin`) ·
``E003`` a model ordered by a masked field · ``E004`` a page that filters, searches, orders or
drills down by one · ``E005`` a page that shows a blind index · ``E006`` no key for blind indexes ·
``E007`` a rule of BACKOFFICE_MASKS that is not there · ``E008`` a view of the API that filters,
searches or orders by a masked field (in `api_checks`) · ``E009`` an encrypted field without keys ·
``E010`` an index over an encrypted column (in `mixin`) · ``E011`` a column, default or index that
the database computes from a masked field · ``E020`` a masked field of a person that
an erasure would miss (in `subjects`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.admin.sites import all_sites
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.core.checks import CheckMessage, Error
from django.db.models import Field, Model
from django.db.models.expressions import RawSQL

from backoffice import keyring
from backoffice.masking import rules
from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.masking.indexes import BlindIndexField, key_ids
from backoffice.masking.paths import passes, paths_in
from backoffice.masking.statements import hidden_in, tells, words_of


def check_models(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report models whose own order names a masked field."""
    return [
        Error(
            f"{model._meta.label} is ordered by {name}, which is masked.",
            hint="Order by a number or a date.",
            obj=model,
            id="masking.E003",
        )
        for model in apps.get_models()
        for name in _names([*(model._meta.ordering or ()), *_latest_by(model)])
        if passes(model, name, MaskedMixin, BlindIndexField)
    ]


def _latest_by(model: type[Model]) -> list[str]:
    """Return what `latest()` and `earliest()` order by."""
    names = model._meta.get_latest_by or ()
    return [names] if isinstance(names, str) else list(names)


def check_computed(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what the database would compute from a masked field, and keep in clear."""
    return [
        Error(
            f"{what} of {model._meta.label} is computed from {name}, which is masked.",
            hint="The database would keep it in clear: compute it in code, into a masked field.",
            obj=model,
            id="masking.E011",
        )
        for model in apps.get_models()
        for what, expression in _computed(model)
        for name in _read(model, expression)
    ]


def _computed(model: type[Model]) -> Iterator[tuple[str, Any]]:
    """Yield (what it is, expression) of all that the database computes for a row."""
    for field in model._meta.local_concrete_fields:
        if field.generated:
            yield field.name, getattr(field, "expression")  # noqa: B009 - unknown to the stubs
        elif field.has_db_default():
            yield f"db_default of {field.name}", _default(field)
    for index in (*model._meta.indexes, *model._meta.constraints):
        for entry in getattr(index, "expressions", ()):
            yield index.name, _first(entry)


def _default(field: "Field[Any, Any]") -> Any:
    """Return the expression of a default that the database sets; a value reads nothing."""
    default = field.db_default
    return default if hasattr(default, "resolve_expression") else None


def _read(model: type[Model], expression: Any) -> list[str]:
    """Return the masked columns that an expression reads, by paths or by SQL written by hand."""
    if isinstance(expression, RawSQL):
        own = words_of(expression.sql) & hidden_in(model)
        return sorted(own) or (["SQL"] if tells(expression.sql, {}) else [])
    kinds = (MaskedMixin, BlindIndexField)
    named = [name for name in paths_in(expression) if passes(model, name, *kinds)]
    parts: list[Any] = getattr(expression, "get_source_expressions", list)()
    inside = [one for part in parts if isinstance(part, RawSQL) for one in _read(model, part)]
    return [*named, *inside]


def check_pages(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report admin pages, on any site, that would answer questions about a hidden value."""
    pages = [page for site in all_sites for page in site._registry.values()]  # noqa: SLF001
    return [message for page in pages for message in _check_page(page)]


def check_setting(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report a missing key where a model has a blind index."""
    indexed = any(
        isinstance(field, BlindIndexField)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
    )
    if not indexed or key_ids():
        return []
    text = "BACKOFFICE_MASKING_INDEX_KEY is not set, but masked fields are searched."
    return [Error(text, hint="A long random text, kept outside the database.", id="masking.E006")]


def check_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report encrypted fields where no key is set."""
    if keyring.key_ids():
        return []
    return [
        Error(
            f"{model._meta.label}.{field.name} is encrypted, but BACKOFFICE_KEYS holds no key.",
            hint="A list of (id, secret), the newest first, kept outside the database.",
            obj=field,
            id="masking.E009",
        )
        for model in apps.get_models()
        for field in masked_fields(model)
        if field.encrypted
    ]


def check_masks(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what BACKOFFICE_MASKS names and is not there."""
    found: list[CheckMessage] = []
    for kind in getattr(settings, "BACKOFFICE_MASKS", {}):
        try:
            rules.choose(kind)("test value")
        except Exception as error:  # noqa: BLE001 - a rule of others may fail in any way
            text = f"BACKOFFICE_MASKS, {kind}: {type(error).__name__}: {error}"
            hint = "Name one of the rules of its kind, or a function of text by its dotted name."
            found.append(Error(text, hint=hint, id="masking.E007"))
    return found


def _check_page(page: Any) -> Iterator[CheckMessage]:
    questions = {
        **_orders_of_columns(page),
        "list_filter": _names(_first(entry) for entry in page.list_filter),
        "search_fields": _names(name.lstrip("^=@") for name in page.search_fields),
        "ordering": _names(page.ordering or ()),
        "date_hierarchy": _names([page.date_hierarchy] if page.date_hierarchy else ()),
        "prepopulated_fields": _names(
            name for names in page.prepopulated_fields.values() for name in names
        ),
    }
    for option, names in questions.items():
        for name in names:
            if passes(page.model, name, MaskedMixin, BlindIndexField):
                text = f"{option} of {type(page).__name__} names {name}, which is masked."
                hint = "It would tell the hidden value; find by masking.services.search_exact."
                yield Error(text, hint=hint, obj=type(page), id="masking.E004")
    yield from _check_shown(page, type(page))
    for inline in page.inlines:
        yield from _check_shown(inline, inline)


def _check_shown(page: Any, kind: type[object]) -> Iterator[CheckMessage]:
    """Report the columns and fields of a page, or of a part of one, that are blind indexes."""
    shown = {
        "list_display": getattr(page, "list_display", ()),
        "fields": flatten(page.fields or ()),
        "fieldsets": flatten_fieldsets(page.fieldsets or ()),
        "readonly_fields": page.readonly_fields,
    }
    for option, names in shown.items():
        for name in names:
            if isinstance(name, str) and passes(page.model, name, BlindIndexField):
                text = f"{option} of {kind.__name__} shows the blind index {name}."
                hint = "It would tell who shares a value with whom; show the masked field."
                yield Error(text, hint=hint, obj=kind, id="masking.E005")


def _orders_of_columns(page: Any) -> dict[str, list[str]]:
    """Return what the columns of a list that are no fields are ordered by."""
    orders = {}
    for name in page.list_display:
        shown = name if callable(name) else _attribute(page, name)
        order = getattr(getattr(shown, "fget", shown), "admin_order_field", None)
        if order:
            orders[f"list_display ({getattr(name, '__name__', name)})"] = _names([order])
    return orders


def _attribute(page: Any, name: str) -> Any:
    """Return what a column is made by: an attribute of the page, or of its model's class."""
    return getattr(page, name, None) or getattr(page.model, name, None)


def _first(entry: Any) -> Any:
    """Return the field of a filter given as (field, class)."""
    return entry[0] if isinstance(entry, list | tuple) else entry


def _names(entries: Iterable[Any]) -> list[str]:
    """Return the paths that names and expressions read; what reads none is left out."""
    return [name for entry in entries for name in paths_in(entry)]
