"""Rows come into memory without Django's loop over setters, where that loop would change nothing.

Masks make a row dearer, so the rest is made cheaper: what a query brought is put into the object at
once. Everything that somebody could hang on to the loop (an `__init__` of their own, the signals
before and after it, fields with setters, deferred columns, a value that is not sealed) leads back
to Django's own way.
"""

from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.signals import post_init, pre_init

from backoffice.masking.values import Sealed

# What a descriptor says by its `loads`: a value is put as it is; it has to be sealed; it is set.
PLAIN, SEALED, SETS = "plain", "sealed", "sets"

_slow = Model.from_db.__func__  # type: ignore[attr-defined]  # the function behind the classmethod


def install(cls: type[Model]) -> None:
    """Give a model with masked fields the quick way, unless it has a way of its own."""
    if cls.from_db.__func__ is _slow:  # type: ignore[attr-defined]
        cls.from_db = classmethod(_from_db)  # type: ignore[assignment, method-assign]


def _from_db(
    cls: type[Model],
    db: str | None,
    field_names: Any,
    values: Sequence[Any],
    *,
    fetch_mode: Any = None,
) -> Model:
    plan = _plan(cls)
    if plan is None or len(values) != len(plan[0]) or not _is_sealed(plan[1](values)):
        return _slow(cls, db, field_names, values, fetch_mode=fetch_mode)  # type: ignore[no-any-return]
    if (pre_init.receivers and pre_init.has_listeners(cls)) or (
        post_init.receivers and post_init.has_listeners(cls)
    ):
        return _slow(cls, db, field_names, values, fetch_mode=fetch_mode)  # type: ignore[no-any-return]
    new = cls.__new__(cls)
    inside = new.__dict__
    inside["_state"] = state = ModelState()
    state.adding = False
    state.db = db
    if fetch_mode is not None:
        state.fetch_mode = fetch_mode
    inside.update(zip(plan[0], values))  # noqa: B905 - of one length, as seen above
    return new


def _is_sealed(values: Sequence[Any]) -> bool:
    for value in values:  # noqa: SIM110 - a generator costs as much as the rest
        if value and type(value) is not Sealed:
            return False
    return True


@cache
def _plan(cls: type[Model]) -> tuple[tuple[str, ...], Any] | None:
    """Return the names of the columns and a getter of the masked values; None for the slow way."""
    names = tuple(field.attname for field in cls._meta.concrete_fields)
    ways = [_way(cls, name) for name in names]
    after = cls.__mro__[cls.__mro__.index(Model) + 1 : -1]
    own = cls.__init__ is not Model.__init__ or any("__init__" in vars(base) for base in after)
    if own or SETS in ways:
        return None
    places = [place for place, way in enumerate(ways) if way == SEALED]
    # A getter of one place returns it bare; asking for the first twice does no harm.
    return names, itemgetter(places[0], *places)


def _way(cls: type[Model], name: str) -> str:
    """Return how a column's descriptor takes a value that a row brought."""
    found = getattr(cls, name, None)
    if isinstance(found, ForeignKeyDeferredAttribute):
        return PLAIN  # it only forgets a cached object, and a new row has none
    own = SETS if hasattr(type(found), "__set__") else PLAIN
    return str(getattr(found, "loads", own))
