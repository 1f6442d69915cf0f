"""Bringing every row to the newest keys: encrypted columns and blind indexes, histories too.

It goes batch by batch, each in a transaction of its own: whoever stops it half way, or kills it,
runs it again. No row of history is made and no time of change moves: the values stay what they are.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.apps import apps
from django.db import connections, models, router, transaction
from django.utils.translation import gettext_lazy

from backoffice import keyring
from backoffice.accounts import sealed
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.masking import indexes
from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.masking.indexes import BlindIndexField, index_of
from backoffice.masking.values import Sealed, is_lost, stored_of, unseal

STARTED = verbs.register("masking.rotation_started", gettext_lazy("Change of keys begun"))
ROTATED = verbs.register("masking.rotated", gettext_lazy("Personal data moved to the newest keys"))
BATCH: Final = 500


@dataclass(slots=True)
class State(sealed.State):
    """What one masked field of one table holds.

    `index` counts digests: "current", "old" (by an older key), "stale" (by none).
    """

    name: str = field(kw_only=True)
    index: Counter[str] = field(default_factory=Counter)

    @property
    def problems(self) -> list[str]:
        """What keeps an older key from going, or lets a value not be found or read."""
        found = {
            "need an older key of BACKOFFICE_KEYS": self.old,
            "open with no key": self.unreadable,
            "have an index by an older key": self.index["old"],
            "have a stale index": self.index["stale"],
        }
        return [f"{count} of {self.name} {text}" for text, count in found.items() if count]


def tables() -> list[type[models.Model]]:
    """Return the models, histories too, that have columns of their own to bring to new keys."""
    return [
        model
        for model in _models()
        if model._meta.managed and not model._meta.proxy and fields_of(model)
    ]


def _models() -> list[type[models.Model]]:
    return apps.get_models(include_auto_created=True)


def fields_of(model: type[models.Model]) -> list[MaskedMixin]:
    """Return the masked fields of a model's own table that are encrypted or have an index."""
    own = set(model._meta.local_concrete_fields)
    return [one for one in masked_fields(model) if one in own and (one.encrypted or index_of(one))]


def check() -> list[State]:
    """Return what each masked field holds; every value is opened and digested once."""
    return [state for model in tables() for state in check_table(model)]


def check_table(model: type[models.Model]) -> list[State]:
    """Return what the masked fields of one table hold."""
    states = {one: State(name=f"{model._meta.label}.{one.name}") for one in fields_of(model)}
    for rows in _batches(model, BATCH, locked=False):
        for row in rows:
            for one, state in states.items():
                _count(row, one, state)
    return list(states.values())


def _count(row: models.Model, one: MaskedMixin, state: State) -> None:
    value = row.__dict__[one.attname]
    if is_lost(value):
        state.unreadable += 1
        return
    if one.encrypted and isinstance(value, Sealed):
        stored = stored_of(value)
        state.by_key[keyring.id_of(stored.text) if stored else keyring.newest_id()] += 1
    index = index_of(one)
    if index is None:
        return
    if value:
        state.index[_age(index, row, value)] += 1
    elif _digest_in(row, index) != index.digest_of(value):
        state.index["stale"] += 1  # what was here before would be found still


def _age(index: BlindIndexField, row: models.Model, value: Any) -> str:
    newest, *older = index.digests_of(value)
    kept = _digest_in(row, index)
    if kept == newest:
        return "current"
    return "old" if kept in older else "stale"


def _digest_in(row: models.Model, index: BlindIndexField) -> Any:
    """Return the digest as the row was read (the attribute would compute it)."""
    kept = row.__dict__[index.attname]
    return unseal(kept) if isinstance(kept, Sealed) else kept


def rotate(*, actor: Any = None, batch: int = BATCH) -> dict[str, int]:
    """Bring every row to the newest keys; return how many rows of each table needed it.

    Values that no key opens are left as they are: `check` counts them. The beginning is on the
    record before the first row changes, the counts at the end; where nothing is to do, nothing.
    """
    done: Counter[str] = Counter()
    for model in tables():
        for _rows in iter_rotation(model, batch, actor, done):
            pass
    if done:
        record(ROTATED, actor=actor, context={**newest(), "rows": dict(done)})
    return {model._meta.label: done[model._meta.label] for model in tables()}


def newest() -> dict[str, str]:
    """Return the ids of the newest keys, for the record."""
    rings = {"index_key": indexes.key_ids(), "key": keyring.key_ids()}
    return {name: ids[0] for name, ids in rings.items() if ids}


def iter_rotation(
    model: type[models.Model], batch: int, actor: Any, done: Counter[str]
) -> Iterator[int]:
    """Bring a table to the newest keys, yielding after each batch how many rows it changed."""
    using = router.db_for_write(model)
    last: Any = None
    while True:
        with transaction.atomic(using):
            rows = _page(model, last, batch, locked=True)
            changed = [(row, values) for row in rows if (values := _renewed(row))]
            if changed and not done:
                record(STARTED, actor=actor, context=newest())
            _write(model, using, changed)
        if not rows:
            return
        last = rows[-1].pk
        if changed:
            done[model._meta.label] += len(changed)
        yield len(changed)


def _renewed(row: models.Model) -> dict[str, Any]:
    """Return the columns of a row that older keys made, with their values by the newest."""
    values: dict[str, Any] = {}
    connection = connections[router.db_for_write(type(row))]
    for one in fields_of(type(row)):
        value = row.__dict__[one.attname]
        if is_lost(value):
            continue
        stored = stored_of(value) if isinstance(value, Sealed) else None
        if stored is not None and not keyring.is_current(stored.text):
            values[str(one.column)] = one.get_db_prep_save(value, connection)
        index = index_of(one)
        if index is not None and _digest_in(row, index) != index.digest_of(value):
            values[str(index.column)] = index.digest_of(value)
    return values


def _write(model: type[models.Model], using: str, changed: list[Any]) -> None:
    """Write the columns past save(): the values are the same, so no history and no time moves."""
    quote = connections[using].ops.quote_name
    key = model._meta.pk
    by_columns: dict[tuple[str, ...], list[list[Any]]] = {}
    for row, values in changed:
        prepared = key.get_db_prep_value(row.pk, connections[using])
        by_columns.setdefault(tuple(values), []).append([*values.values(), prepared])
    with connections[using].cursor() as cursor:
        for columns, rows in by_columns.items():
            put = ", ".join(f"{quote(column)} = %s" for column in columns)
            table = quote(model._meta.db_table)
            cursor.executemany(
                f"UPDATE {table} SET {put} WHERE {quote(str(key.column))} = %s",  # noqa: S608
                rows,
            )


def _batches(model: type[models.Model], batch: int, *, locked: bool) -> Iterator[list[Any]]:
    rows = _page(model, None, batch, locked=locked)
    while rows:
        yield rows
        rows = _page(model, rows[-1].pk, batch, locked=locked)


def _page(model: type[models.Model], after: Any, batch: int, *, locked: bool) -> list[Any]:
    """Return the next rows in the order of their keys, with the columns this is about."""
    names = [one.name for one in fields_of(model)]
    names += [index.name for one in fields_of(model) if (index := index_of(one)) is not None]
    rows: Any = model._base_manager.using(router.db_for_write(model)).order_by("pk").only(*names)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list((rows.select_for_update(of=("self",)) if locked else rows)[:batch])


def _sealed_state() -> sealed.State:
    """Return what `manage.py keys check` is to know of encrypted fields."""
    total = sealed.State()
    for state in check():
        total.by_key.update(state.by_key)
        total.unreadable += state.unreadable
    return total


def register() -> None:
    """Let `manage.py keys` see and rotate encrypted fields, so that nobody drops a key in use."""
    sealed.register_table("masked fields", _sealed_state, lambda: sum(rotate().values()))
