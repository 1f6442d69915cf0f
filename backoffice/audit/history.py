"""Writing many rows with their history, and the guard that lets nobody write them without.

The history of a model is written when a row is saved. `update()`, `bulk_create()`, `bulk_update()`
and `delete()` of a query save nothing, so on a model with a history they raise
UnrecordedWriteError; the functions here write one history row for each row, with actor and reason:

    bulk_create(rows, actor=…, reason=…)                 new rows
    bulk_update(rows, ["price_minor"], actor=…)          changed rows
    update(Product.objects.filter(…), actor=…, changes={"seller": shop})
    delete(rows, actor=…)                                rows that go
    services.update_where(row, condition, actor=…)       one row, if it still meets a condition

History rows are copied by the database (INSERT … SELECT): values do not travel, masked ones are
not unmasked, and the whole stays below twice the plain write.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any

from django.db import connections, models, router, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from simple_history.utils import get_history_manager_for_model

from backoffice.audit import context

_BATCH = 2000
_HELPERS = {
    "update": "audit.services.update_where or audit.history.update",
    "bulk_create": "audit.history.bulk_create",
    "bulk_update": "audit.history.bulk_update",
    "delete": "audit.history.delete",
}
_open: ContextVar[bool] = ContextVar("history_is_written", default=False)


class OwnReason(str):
    """A reason that the system gives and tells its own rows by; nobody can type such a one."""

    __slots__ = ()


_LIKE_OWN = re.compile(r"\s*(import|undo)\s+[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE)


def told(reason: str) -> str:
    """Return the reason as it is kept: what somebody typed and looks like ours stands in quotes."""
    if isinstance(reason, OwnReason) or not _LIKE_OWN.match(reason):
        return str(reason)
    return f"“{reason}”"


@dataclass(slots=True)
class Signer:
    """Who writes in a block, and why; `touched` are the models whose rows got history meanwhile."""

    actor: Any
    reason: str
    touched: set[type[models.Model]] = field(default_factory=set)


_signer: ContextVar[Signer | None] = ContextVar("history_signer", default=None)


@contextmanager
def signing(actor: Any, reason: str) -> Iterator[Signer]:
    """Sign every history row of the block that is not signed otherwise.

    For code that is not ours and saves rows of its own.
    """
    signer = Signer(actor, reason)
    token = _signer.set(signer)
    try:
        yield signer
    finally:
        _signer.reset(token)


class UnrecordedWriteError(TypeError):
    """Rows of a model with a history were about to be written past it."""


@contextmanager
def recorded() -> Iterator[None]:
    """Open the guard for a block that writes the history rows itself (or undoes its writes)."""
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)


def is_tracked(model: type[models.Model]) -> bool:
    """Say whether the model has a history."""
    return hasattr(model._meta, "simple_history_manager_attribute")


def require_recorded(model: type[models.Model], name: str, helper: str) -> None:
    """Raise UnrecordedWriteError where `name` would write rows of a model past its history."""
    if is_tracked(model) and not _open.get():
        msg = f"{model._meta.label} has a history, which {name}() does not write: use {helper}"
        raise UnrecordedWriteError(msg)


def install() -> None:
    """Put the guard around the four methods of QuerySet, once."""
    for name, helper in _HELPERS.items():
        _guard(name, helper)


def _guard(name: str, helper: str) -> None:
    original: Callable[..., Any] = getattr(QuerySet, name)
    if getattr(original, "history_guard", False):
        return

    @wraps(original)
    def guarded(self: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        require_recorded(self.model, name, helper)
        return original(self, *args, **kwargs)

    guarded.history_guard = True  # type: ignore[attr-defined]
    setattr(QuerySet, name, guarded)


def bulk_create[M: models.Model](
    rows: Sequence[M],
    *,
    actor: Any,
    reason: str = "",
    at: datetime | None = None,
    batch_size: int = _BATCH,
) -> list[M]:
    """Insert the rows, each with its history row; all or nothing. Returns them with their keys."""
    if not rows:
        return []
    model = type(rows[0])
    with transaction.atomic(), recorded():
        made = model._default_manager.bulk_create(rows, batch_size=batch_size)
        write(model, [row.pk for row in made], "+", actor=actor, reason=reason, at=at)
    return made


def bulk_update[M: models.Model](
    rows: Sequence[M],
    fields: Sequence[str],
    *,
    actor: Any,
    reason: str = "",
    at: datetime | None = None,
    batch_size: int = _BATCH,
) -> int:
    """Write these fields of the rows, each row with its history row. Returns how many rows."""
    if not rows:
        return 0
    model = type(rows[0])
    with transaction.atomic(), recorded():
        changed = model._default_manager.bulk_update(rows, fields, batch_size=batch_size)
        write(model, [row.pk for row in rows], "~", actor=actor, reason=reason, at=at)
    return changed


def update(
    rows: "QuerySet[Any]", *, actor: Any, changes: Mapping[str, Any], reason: str = ""
) -> int:
    """Change the rows of a query, each with its history row. Returns how many.

    The rows are locked and named by key first, so that a row that begins to match meanwhile is
    neither changed nor noted.
    """
    with transaction.atomic(), recorded():
        locked = rows.order_by("pk").select_for_update(of=("self",))
        keys = list(locked.values_list("pk", flat=True))
        for start in range(0, len(keys), _BATCH):
            part = keys[start : start + _BATCH]
            rows.model._default_manager.filter(pk__in=part).update(**changes)
        write(rows.model, keys, "~", actor=actor, reason=reason)
    return len(keys)


def delete(rows: Iterable[models.Model], *, actor: Any, reason: str = "") -> int:
    """Delete the rows one by one: each leaves its last values in the history. Returns how many."""
    count = 0
    with transaction.atomic(), recorded():
        for row in rows:
            sign(row, actor=actor, reason=reason)
            row.delete()
            count += 1
    return count


def sign(row: models.Model, *, actor: Any, reason: str) -> None:
    """Say who writes the row's next history row, and why."""
    row._history_user = actor if getattr(actor, "pk", None) else None  # type: ignore[attr-defined]
    row._change_reason = told(reason) or None  # type: ignore[attr-defined]


def note_real_actor(sender: object, history_instance: Any, **kwargs: Any) -> None:
    """Name who really sits there in a history row that is about to be written."""
    if hasattr(type(history_instance), "history_real_actor"):
        history_instance.history_real_actor_id = context.current().real_actor_id
    signer = _signer.get()
    if signer is not None:
        signer.touched.add(history_instance.instance_type)
        if not history_instance.history_change_reason:
            history_instance.history_change_reason = told(signer.reason)
        if history_instance.history_user_id is None:
            history_instance.history_user_id = getattr(signer.actor, "pk", None)


def who(row: Any) -> str:
    """Return who wrote a history row; of two, who sat there and for whom."""
    name = str(row.history_user or _("System"))
    real = getattr(row, "history_real_actor", None)
    return _("%(real)s for %(name)s") % {"real": real, "name": name} if real else name


def people(model: type[models.Model]) -> list[str]:
    """Return the columns of people in the history, for `select_related`."""
    past = get_history_manager_for_model(model).model
    names = ["history_user", "history_real_actor"]
    return [name for name in names if hasattr(past, name)]


def write(
    model: type[models.Model],
    keys: Sequence[Any],
    kind: str,
    *,
    actor: Any,
    reason: str = "",
    at: datetime | None = None,
) -> None:
    """Copy the stored rows with these keys into the history as `kind` ("+" or "~")."""
    connection = connections[router.db_for_write(model)]
    known = _known(model, kind, actor, reason, at)
    with connection.cursor() as cursor:
        for start in range(0, len(keys), _BATCH):
            part = list(keys[start : start + _BATCH])
            marks = ", ".join(["%s"] * len(part))
            sql, values = _copy(connection, model, known, marks)
            cursor.execute(sql, [*values, *_prepared(model, part, connection)])


def write_chosen(
    model: type[models.Model],
    keys: str,
    kind: str,
    *,
    actor: Any,
    reason: str = "",
    at: datetime | None = None,
) -> int:
    """Copy the stored rows whose keys the query `keys` (SQL of our own) gives; return how many."""
    connection = connections[router.db_for_write(model)]
    sql, values = _copy(connection, model, _known(model, kind, actor, reason, at), keys)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def write_made(
    model: type[models.Model],
    insert: str,
    values: Sequence[Any],
    *,
    actor: Any,
    reason: str = "",
    at: datetime | None = None,
) -> int:
    """Run an INSERT of our own together with the history of what it makes; return how many rows.

    For databases whose statements can go on with what an INSERT returns (PostgreSQL).
    """
    connection = connections[router.db_for_write(model)]
    known = _known(model, "+", actor, reason, at)
    into, marks, kept = _columns(connection, model, known)
    sql = (
        f"WITH made AS ({insert} RETURNING {kept})"  # noqa: S608 - names of the models
        f" INSERT {into} SELECT {marks}, {kept} FROM made"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *_stored(connection, known)])
        return int(cursor.rowcount)


def _known(
    model: type[models.Model], kind: str, actor: Any, reason: str, at: datetime | None
) -> dict[Any, Any]:
    """Return the history's own columns and what stands in them."""
    past = get_history_manager_for_model(model).model
    known = {
        "history_date": at or timezone.now(),
        "history_type": kind,
        "history_change_reason": told(reason)[: _longest(past)] or None,
        "history_user": getattr(actor, "pk", None),
    }
    if hasattr(past, "history_real_actor"):
        known["history_real_actor"] = context.current().real_actor_id
    return {past._meta.get_field(name): value for name, value in known.items()}


def _longest(past: Any) -> int | None:
    """Return how long a reason may be; None without a limit."""
    limit: int | None = past._meta.get_field("history_change_reason").max_length
    return limit


def _prepared(model: type[models.Model], keys: list[Any], connection: Any) -> list[Any]:
    field = model._meta.pk
    return [field.get_db_prep_value(key, connection) for key in keys]


def _copy(
    connection: Any, model: Any, known: Mapping[Any, Any], keys: str
) -> tuple[str, list[Any]]:
    """Return INSERT … SELECT from the table into its history; every name is the models' own."""
    into, marks, kept = _columns(connection, model, known)
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(model._meta.pk.column)
    sql = (
        f"INSERT {into} SELECT {marks}, {kept} FROM {table} WHERE {key} IN ({keys}) ORDER BY {key}"  # noqa: S608
    )
    return sql, _stored(connection, known)


def _columns(connection: Any, model: Any, known: Mapping[Any, Any]) -> tuple[str, str, str]:
    """Return "INTO history (…)", the marks of `known`, and the columns that are copied."""
    past, quote = get_history_manager_for_model(model).model, connection.ops.quote_name
    kept = [quote(field.column) for field in past.tracked_fields if not field.many_to_many]
    names = ", ".join([*(quote(field.column) for field in known), *kept])
    marks = ", ".join(["%s"] * len(known))
    return f"INTO {quote(past._meta.db_table)} ({names})", marks, ", ".join(kept)


def _stored(connection: Any, known: Mapping[Any, Any]) -> list[Any]:
    return [field.get_db_prep_save(value, connection) for field, value in known.items()]
