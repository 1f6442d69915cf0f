"""What an address narrows a list by beyond the choices of its filters, in words.

The mark of a chart opens a list with a period, states and a currency in its address. A list that
holds less than all must say so, and offer to drop it.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import NotRelationField, get_fields_from_path
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from backoffice.site.cells import date_text

_RANGES = {
    "gte": gettext_lazy("from %(value)s"),
    "gt": gettext_lazy("after %(value)s"),
    "lt": gettext_lazy("before %(value)s"),
    "lte": gettext_lazy("up to %(value)s"),
}


@dataclass(slots=True)
class Narrowing:
    """One condition: `label` and `text` say it, `query_string` is the list without it."""

    label: str
    text: str
    query_string: str


def narrowings(changelist: Any) -> list[Narrowing]:
    """Return the conditions of the address that no chip of a filter shows, one a field."""
    shown = {name for spec in changelist.filter_specs if _told(spec, changelist)
             for name in spec.expected_parameters()}  # fmt: skip
    by_field: dict[str, list[str]] = {}
    for name in changelist.get_filters_params():
        if name not in shown:
            by_field.setdefault(_path(changelist.model, name), []).append(name)
    return [_narrowing(changelist, path, names) for path, names in by_field.items()]


def _told(spec: Any, changelist: Any) -> bool:
    return any(choice.get("selected") for choice in spec.choices(changelist))


def _narrowing(changelist: Any, path: str, names: list[str]) -> Narrowing:
    params = changelist.get_filters_params()
    field = _field(changelist.model, path)
    texts = [_text(field, name[len(path) :].strip("_"), params[name][-1]) for name in names]
    label = path if field is None else str(field.verbose_name)
    return Narrowing(capfirst(label), ", ".join(texts), changelist.get_query_string(remove=names))


def _path(model: type[models.Model], name: str) -> str:
    """Return the part of a lookup that names fields ("order__placed_at" of "…__gte")."""
    parts = name.split(LOOKUP_SEP)
    for end in range(len(parts), 0, -1):
        path = LOOKUP_SEP.join(parts[:end])
        if _field(model, path) is not None:
            return path
    return name


def _field(model: type[models.Model], path: str) -> models.Field[Any, Any] | None:
    try:
        return get_fields_from_path(model, path)[-1]
    except (FieldDoesNotExist, NotRelationField):
        return None


def _text(field: models.Field[Any, Any] | None, lookup: str, value: str) -> str:
    parts = value.split(",") if lookup == "in" else [value]
    words = ", ".join(_word(field, part) for part in parts)
    return str(_RANGES[lookup]) % {"value": words} if lookup in _RANGES else words


def _word(field: models.Field[Any, Any] | None, value: str) -> str:
    if field is None:
        return value
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(field, models.DateField):
        try:
            return date_text(field.to_python(value))
        except ValidationError:
            return value
    if not value:
        return "\N{EN DASH}"
    return value
