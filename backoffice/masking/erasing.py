"""Erasing people from the places where their data lies, batch by batch.

A batch is small, changes nothing that is erased already, and says where the next one begins, so
that whoever drives it (a job) can be killed between any two and go on.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from backoffice.audit import history
from backoffice.audit.models import Event
from backoffice.audit.services import Actor
from backoffice.masking import purposes, subjects
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.subjects import Group, Place
from backoffice.masking.values import Sealed

_log = logging.getLogger(__name__)
ERASE: Final = purposes.register("masking.erase", _("Erase a person from all places"))
BATCH: Final = 500
# Rows of a place that are looked through to tell an approver how many are others'.
COUNTED: Final = 2000
# The two passes over a table: rows that belong to the people, then all rows.
_OWN, _ALL = "own", "all"

type Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Erasure:
    """Whom to erase, in whose name, and the event that tells of it (typed reasons name it)."""

    group: Group
    actor: Actor
    event: Event
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch did: how many rows changed, and `after`, plain JSON; None at the end."""

    changed: int
    after: Any = None


def step(place: Place, erasure: Erasure, after: Any = None, limit: int = BATCH) -> Step:
    """Erase the next batch of a place; run it in the transaction that keeps `after`.

    Deterministic: the same batch again finds nothing to change.
    """
    if place.step is not None:
        return place.step(place, erasure, after, limit)
    if not place.model or not (place.columns() or place.delete):
        return Step(0)
    turn, key = after or [_OWN if place.rows else _ALL, None]
    done = _own(place, erasure, key, limit) if turn == _OWN else _all(place, erasure, key, limit)
    if done.after is not None:
        return Step(done.changed, [turn, done.after])
    return Step(done.changed, [_ALL, None] if turn == _OWN and place.everywhere else None)


def run(place: Place, erasure: Erasure, limit: int = BATCH) -> int:
    """Erase a place in one go, each batch in a transaction of its own; return how many rows."""
    changed, after = 0, None
    while True:
        with transaction.atomic():
            done = step(place, erasure, after, limit)
        changed, after = changed + done.changed, done.after
        if after is None:
            return changed


def count(place: Place, group: Group) -> int:
    """Return how many rows of the place belong to the people."""
    if place.count is not None:
        return place.count(group)
    return place.rows(group).count() if place.rows else 0


def _own(place: Place, erasure: Erasure, key: Any, limit: int) -> Step:
    """Erase the next rows that belong to the people."""
    columns = place.columns()
    rows = place.rows(erasure.group) if place.rows else place.table()._default_manager.none()
    found = page(rows, key, limit, columns)
    if place.delete:
        return _step(_delete(place, [row[0] for row in found]), found, limit)
    changes = {row[0]: _erased(place, columns, row, erasure.group) for row in found}
    return _step(write(place, changes, erasure), found, limit)


def _all(place: Place, erasure: Erasure, key: Any, limit: int) -> Step:
    """Take the people out of the next rows of the whole table."""
    columns = {name: way for name, way in place.columns().items() if _is_text(place, name)}
    if not (columns and erasure.group.elsewhere):
        return Step(0)
    found = page(place.table()._default_manager.all(), key, limit * 4, columns)
    changes = {row[0]: _cleaned(place, columns, row, erasure.group) for row in found}
    if place.delete:
        return _step(_delete(place, [key for key, change in changes.items() if change]), found,
                     limit * 4)  # fmt: skip
    return _step(write(place, changes, erasure), found, limit * 4)


def page(rows: Any, key: Any, limit: int, columns: Iterable[str]) -> list[Row]:
    """Return the next (key, values…) behind `key`, by key."""
    rows = rows.order_by("pk")
    if key is not None:
        rows = rows.filter(pk__gt=key)
    return list(rows.values_list("pk", *columns)[:limit])


def _step(changed: int, found: list[Row], limit: int) -> Step:
    return Step(changed, plain(found[-1][0]) if len(found) == limit else None)


def plain(key: Any) -> Any:
    """Return a key as JSON holds it."""
    return key if isinstance(key, int) else str(key)


def _is_text(place: Place, name: str) -> bool:
    column = place.table()._meta.get_field(name)
    kinds = (models.CharField, models.TextField, models.JSONField)
    return isinstance(column, kinds) and not isinstance(column, MaskedMixin)


def _erased(place: Place, columns: Mapping[str, str], row: Row, group: Group) -> dict[str, Any]:
    """Return what changes in a row that belongs to the people."""
    found = {}
    for name, value in zip(columns, row[1:], strict=True):
        new = _new(place, name, columns[name], value, group)
        if new != value or isinstance(value, Sealed):
            found[name] = new
    return found


def _new(place: Place, name: str, way: str, value: Any, group: Group) -> Any:
    if value is None or value == "":
        return value
    if way == subjects.CLEAN:
        return _cut(place, name, group.mentions.cleaned(value))
    return subjects.TOMBSTONE_TEXT if way == subjects.TOMBSTONE else blank(place, name)


def blank(place: Place, name: str) -> Any:
    """Return what an emptied column of the place holds."""
    column = place.table()._meta.get_field(name)
    if getattr(column, "null", False):
        return None
    return column.get_default() if isinstance(column, models.JSONField) else ""


def _cleaned(place: Place, columns: Mapping[str, str], row: Row, group: Group) -> dict[str, Any]:
    """Return what changes in a row of anybody where it names the people; the rest of it stays."""
    cleaned = {
        name: (value, group.elsewhere.cleaned(value))
        for name, value in zip(columns, row[1:], strict=True)
        if value
    }
    return {name: _cut(place, name, new) for name, (old, new) in cleaned.items() if new != old}


def others(place: Place, group: Group, limit: int = COUNTED) -> int:
    """Return how many of a place's newest rows are not the people's own and name them."""
    if place.others is not None:
        return place.others(group, limit)
    if not (place.model and place.everywhere):
        return 0
    columns = {name: way for name, way in place.columns().items() if _is_text(place, name)}
    rows = place.table()._default_manager.order_by("-pk")
    own = set(place.rows(group).values_list("pk", flat=True)) if place.rows else set()
    found = rows.values_list("pk", *columns)[:limit] if columns else ()
    return sum(row[0] not in own and bool(_cleaned(place, columns, row, group)) for row in found)


def _cut(place: Place, name: str, value: Any) -> Any:
    """Return text no longer than its column."""
    limit = getattr(place.table()._meta.get_field(name), "max_length", None)
    return value[:limit] if isinstance(value, str) and limit else value


def write(place: Place, changes: Mapping[Any, Mapping[str, Any]], erasure: Erasure) -> int:
    """Write the changes of rows, each with its row of history; return how many rows changed."""
    alike: dict[str, list[Any]] = defaultdict(list)
    for key, change in changes.items():
        if change:
            alike[repr(sorted(change.items(), key=lambda pair: pair[0]))].append(key)
    model = place.table()
    for keys in alike.values():
        with history.recorded():
            model._default_manager.filter(pk__in=keys).update(**changes[keys[0]])
        if history.is_tracked(model):
            history.write(model, keys, "~", actor=erasure.actor, reason=erasure.reason)
    return sum(map(len, alike.values()))


def _delete(place: Place, keys: list[Any]) -> int:
    with history.recorded():
        place.table()._default_manager.filter(pk__in=keys).delete()
    return len(keys)


def note_use(count: int) -> None:
    """Leave a line in the log that clear values of so many people were used."""
    _log.info("personal values used: %s, people: %s", ERASE, count)
