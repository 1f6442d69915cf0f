"""The records that events and requests are about: a name and an address, a few queries a page."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.text import capfirst

from backoffice.policy import may


@dataclass(frozen=True, slots=True)
class Subject:
    """A record by its kind and public number; `url` is "" where there is no page for it."""

    text: str
    url: str = ""


Key = tuple[str, str]


def describe(site: Any, request: HttpRequest, keys: Iterable[Key]) -> dict[Key, Subject]:
    """Return (model label, id) -> subject; one query for each kind of record.

    A record that is gone is named by its id. `__str__` of a model holds no personal value.
    """
    ids: dict[str, set[str]] = defaultdict(set)
    for label, key in keys:
        ids[label].add(key)
    found: dict[Key, Subject] = {}
    for label, wanted in ids.items():
        found.update(_of_model(site, request, label, wanted))
    return found


def _of_model(site: Any, request: HttpRequest, label: str, wanted: set[str]) -> dict[Key, Subject]:
    if not label:
        return {("", key): Subject("") for key in wanted}
    try:
        model = apps.get_model(label)
    except LookupError:
        return {(label, key): Subject(f"{label} {key}".strip()) for key in wanted}
    page = site._registry.get(model)  # noqa: SLF001 - our own site
    shown = page if page is not None and may(request.user, "view", model).allowed else None
    name = capfirst(str(model._meta.verbose_name))
    rows = {str(row.pk): row for row in _rows(model, wanted - {""})}
    subjects: dict[Key, Subject] = {}
    for key in wanted:
        if not key:
            text = capfirst(str(model._meta.verbose_name_plural))
            subjects[label, key] = Subject(text, shown.list_url() if shown else "")
        elif key in rows:
            url = shown.record_url(rows[key]) if shown else _own_page(request, rows[key])
            subjects[label, key] = Subject(f"{name} {rows[key]}", url)
        else:
            subjects[label, key] = Subject(f"{name} {key}")
    return subjects


def _own_page(request: HttpRequest, row: Any) -> str:
    """Return the page of a record that is not in the admin, for who may view it."""
    has_page = hasattr(row, "get_absolute_url")
    return row.get_absolute_url() if has_page and may(request.user, "view", row) else ""


def _rows(model: Any, wanted: set[str]) -> list[Any]:
    if not wanted:
        return []
    try:
        return list(model._default_manager.filter(pk__in=wanted))
    except (ValueError, ValidationError):
        return []  # ids of another time, e.g. before the kind of key changed
