"""Lookup paths, as in "customer__email__startswith"."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Model, Q
from django.db.models.constants import LOOKUP_SEP
from django.db.models.lookups import IsNull


def path_of(expression: F) -> str:
    """Return the path that an F() names (the stubs do not know its attribute)."""
    return str(getattr(expression, "name"))  # noqa: B009


def paths_in(expression: Any) -> Iterator[str]:
    """Yield the paths that a name, an expression or a Q reads; asking for presence reads nothing.

    The expression is one that no query has resolved yet, as it stands in a class.
    """
    if isinstance(expression, str):
        yield expression.removeprefix("-")
    elif isinstance(expression, F):
        yield path_of(expression)
    elif isinstance(expression, tuple):  # a condition of a Q
        if not expression[0].endswith(f"{LOOKUP_SEP}isnull"):
            yield expression[0]
        if not isinstance(expression[1], str):
            yield from paths_in(expression[1])
    elif not isinstance(expression, IsNull):
        for part in _parts(expression):
            yield from paths_in(part)


def _parts(expression: Any) -> Any:
    if isinstance(expression, Q):
        return expression.children
    return getattr(expression, "get_source_expressions", tuple)()


def passes(model: type[Model] | None, path: str, *kinds: type[object]) -> bool:
    """Say whether a path ("customer__email__startswith") goes through a field of one of `kinds`."""
    for name in path.split(LOOKUP_SEP):
        if model is None:
            return False
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            return False
        if isinstance(field, kinds):
            return True
        model = field.related_model if field.is_relation else None
    return False
