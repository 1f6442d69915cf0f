"""What a list was narrowed by, for the record of activity, which no erasure reaches."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.utils import NotRelationField, get_fields_from_path
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db.models import BooleanField, DateField, Model
from django.db.models.constants import LOOKUP_SEP
from django.utils.dateparse import parse_date, parse_datetime

from backoffice.masking import MASK_CHAR

# Parameters of a list that hold its place and order.
_PLACES = frozenset({"p", "o", "all"})
# Lookups with one value, which the admin's filters ask.
_LOOKUPS = frozenset({"exact", "gte", "gt", "lte", "lt", "year", "isnull"})
_YES_OR_NO = frozenset({"0", "1", "True", "False"})
HIDDEN = "*"
_NO_FIELD_OR_VALUE = (
    FieldDoesNotExist, FieldError, NotRelationField, ValidationError, ValueError, TypeError,
)  # fmt: skip


def told_filter(changelist: Any) -> dict[str, str]:
    """Return parameter -> value of what narrows a list, "*" for what may be somebody's words.

    An address can be typed, and personal data with it. So a value is told only where a filter
    offers it, where some row has just it, or where it is a day or a yes or no.
    """
    told = {}
    for name, value in changelist.params.items():
        text = str(value)
        if name not in _PLACES and MASK_CHAR not in text:
            told[name] = text if _is_plain(changelist, name, text) else HIDDEN
    return told


def _is_plain(changelist: Any, name: str, value: str) -> bool:
    for spec in changelist.filter_specs:
        if isinstance(spec, SimpleListFilter) and spec.parameter_name == name:
            return value in {str(choice) for choice, _label in spec.lookup_choices}
    return _stands(changelist.model, name, value)


def _stands(model: type[Model], name: str, value: str) -> bool:
    """Say whether a row has this value, or whether its field holds days or yes and no alone."""
    path, _sep, lookup = name.rpartition(LOOKUP_SEP)
    if lookup not in _LOOKUPS:
        path, lookup = name, "exact"
    try:
        field = get_fields_from_path(model, path)[-1]
        if lookup == "isnull" or isinstance(field, BooleanField):
            return value in _YES_OR_NO
        if isinstance(field, DateField):
            return bool(parse_datetime(value) or parse_date(value))
        return lookup == "exact" and model._default_manager.filter(**{path: value}).exists()
    except _NO_FIELD_OR_VALUE:
        return False
