"""Lookup paths, as in "customer__email__startswith"."""

from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Model
from django.db.models.constants import LOOKUP_SEP


def path_of(expression: F) -> str:
    """Return the path that an F() names (the stubs do not know its attribute)."""
    return str(getattr(expression, "name"))  # noqa: B009


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
