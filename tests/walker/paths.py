"""The ways in which a query string may ask for a hidden value."""

from collections.abc import Iterator

from django.db import models

from backoffice.masking.fields import MaskedMixin
from backoffice.masking.indexes import BlindIndexField

DEPTH = 2
# What is tried on the list's own fields, and what over relations.
LOOKUPS = (
    "",
    "__exact",
    "__iexact",
    "__startswith",
    "__icontains",
    "__regex",
    "__gt",
    "__lte",
    "__in",
    "__range",
    "__isnull",
)
FAR_LOOKUPS = ("", "__startswith", "__gt", "__in")


def masked_paths(model: type[models.Model], depth: int = DEPTH) -> list[str]:
    """Return the paths from a model, over at most `depth` relations, to masked fields and indexes.

    History is a path too, by the name that simple-history gives it.
    """
    return sorted(set(_paths(model, "", depth)))


def _paths(model: type[models.Model], prefix: str, depth: int) -> Iterator[str]:
    for field in model._meta.get_fields(include_hidden=True):
        name = field.name if field.concrete else _query_name(field)
        if isinstance(field, MaskedMixin | BlindIndexField):
            yield prefix + name
            if hasattr(model, "history"):
                yield f"{prefix}history__{name}"
        elif name == "+":
            continue  # a relation without a way back has no path
        elif depth and field.is_relation and isinstance(field.related_model, type):
            yield from _paths(field.related_model, f"{prefix}{name}__", depth - 1)


def _query_name(field: object) -> str:
    name = getattr(field, "related_query_name", None)
    return str(name()) if callable(name) else str(getattr(field, "name", ""))
