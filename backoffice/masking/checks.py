"""System checks that no page, order or setting tells what a mask hides.

``masking.E001`` a masked field with choices · ``E002`` unique without search (both in `mixin`) ·
``E003`` a model ordered by a masked field · ``E004`` a page that filters, searches, orders or
drills down by one · ``E005`` a page that shows a blind index · ``E006`` no key for blind indexes ·
``E007`` a rule of BACKOFFICE_MASKS that is not there · ``E008`` a view of the API that filters,
searches or orders by a masked field (in `api_checks`) · ``E009`` an encrypted field without keys ·
``E010`` an index over an encrypted column (in `mixin`) · ``E020`` a masked field of a person that
an erasure would miss (in `subjects`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.admin.sites import all_sites
from django.core.checks import CheckMessage, Error
from django.db.models import F, OrderBy

from backoffice import keyring
from backoffice.masking import rules
from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.masking.indexes import BlindIndexField, key_ids
from backoffice.masking.paths import passes, path_of


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
        for name in _names(model._meta.ordering or ())
        if passes(model, name, MaskedMixin)
    ]


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
    for name in _names(page.list_display):
        if passes(page.model, name, BlindIndexField):
            text = f"list_display of {type(page).__name__} shows the blind index {name}."
            hint = "It would tell who shares a value with whom; show the masked field."
            yield Error(text, hint=hint, obj=type(page), id="masking.E005")


def _first(entry: Any) -> Any:
    """Return the field of a filter given as (field, class)."""
    return entry[0] if isinstance(entry, list | tuple) else entry


def _names(entries: Iterable[Any]) -> list[str]:
    """Return the paths among names, F() and OrderBy(); what is no path is left out."""
    names = []
    for entry in entries:
        inner = entry.expression if isinstance(entry, OrderBy) else entry
        name = path_of(inner) if isinstance(inner, F) else inner
        if isinstance(name, str):
            names.append(name.removeprefix("-"))
    return names
