"""Who points at a row by its kind and key, where no foreign key says it.

A model with a generic foreign key is found by itself, so access that was given to a record counts,
as do object permissions. What keeps kind and key in columns of its own is registered:

    pointers.register(lambda model, keys: {keys that are still needed})
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from django.apps import apps
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet

from backoffice.masking.models import Grant

Asked = Callable[[type[Model], Sequence[Any]], set[Any]]
_asked: Final[list[Asked]] = []


def register(asked: Asked) -> Asked:
    """Let `asked(model, keys)` say which of the rows something of its own still needs."""
    _asked.append(asked)
    return asked


def used(model: type[Model], keys: Sequence[Any]) -> set[Any]:
    """Return which of these rows are pointed at."""
    found: set[Any] = set()
    for asked in _asked if keys else ():
        found |= asked(model, keys)
    return found


def named(rows: QuerySet[Any], column: str, keys: Sequence[Any]) -> set[Any]:
    """Return those of the keys that stand in a column of texts."""
    texts = {str(key): key for key in keys}
    told = rows.filter(**{f"{column}__in": list(texts)}).order_by()
    return {texts[str(one)] for one in told.values_list(column, flat=True).distinct()}


@register
def _generic(model: type[Model], keys: Sequence[Any]) -> set[Any]:
    found: set[Any] = set()
    for users, key in _generic_keys():
        kind = ContentType.objects.get_for_model(model, for_concrete_model=key.for_concrete_model)
        rows = users._base_manager.filter(**{key.ct_field: kind})
        if users is Grant:  # the others are over, and only tell that they were
            rows = rows.filter(ended_at=None)
        found |= named(rows, key.fk_field, keys)
    return found


def _generic_keys() -> Iterator[tuple[type[Model], Any]]:
    for users in apps.get_models():
        for one in users._meta.private_fields:
            if isinstance(one, GenericForeignKey) and users._meta.managed:
                yield users, one
