"""Taking rows back to their versions before an import, a part at a time, inside the database.

The history of an import stands under its change reason; the first history row that it wrote of a
row says what is to be done: a "+" means that the import made the row, so it goes; else the version
before that one comes back. What others did since is never touched. Values do not travel: a version
is copied by the database from the history into the table, masked and sealed values and their
indexes as they lie there.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import connections, router, transaction
from django.db.models import Exists, ForeignKey, Model, OuterRef, Q, QuerySet, Subquery
from simple_history.utils import get_history_manager_for_model

from backoffice import refusals
from backoffice.audit import history
from backoffice.sheets.models import Undo, UndoLeft
from backoffice.sheets.undoing import pointers

_Why = UndoLeft.Why
_IMPORT, _UNDO = "import ", "undo "
GONE: Final = "-"
MADE: Final = "+"


@dataclass(frozen=True, slots=True)
class Past:
    """The history of one model, as one import wrote it: by its reason, between two ids."""

    model: type[Model]
    reason: str
    newest: int
    oldest: int = 0

    @property
    def rows(self) -> QuerySet[Any]:
        """Return all history rows of the model."""
        return get_history_manager_for_model(self.model).model._default_manager.order_by()  # type: ignore[no-any-return]

    @property
    def mine(self) -> Q:
        """Return what tells the import's history rows.

        What stands under its reason and came earlier or later is somebody else's.
        """
        return Q(history_change_reason=self.reason, history_id__range=(self.oldest, self.newest))

    @property
    def key(self) -> str:
        """Return the name of the primary key, which is the same in the history."""
        return str(self.model._meta.pk.attname)

    def older(self) -> QuerySet[Any]:
        """Return the same row's history before the outer query's history row."""
        return self.rows.filter(
            **{self.key: OuterRef(self.key)}, history_id__lt=OuterRef("history_id")
        )

    def newer(self) -> QuerySet[Any]:
        """Return the same row's history after the outer query's history row."""
        return self.rows.filter(
            **{self.key: OuterRef(self.key)}, history_id__gt=OuterRef("history_id")
        )

    def firsts(self, first: int, last: int) -> QuerySet[Any]:
        """Return the import's first history rows of rows, of those between two ids."""
        written = self.rows.filter(self.mine, history_id__range=(first, last))
        return written.filter(~Exists(self.older().filter(self.mine)))

    def firsts_of(self, keys: Iterable[Any]) -> list[int]:
        """Return the ids of the import's first history rows of these rows that are not undone."""
        written = self.rows.filter(self.mine, **{f"{self.key}__in": list(keys)})
        firsts = self.not_undone(written.filter(~Exists(self.older().filter(self.mine))))
        return list(firsts.values_list("history_id", flat=True))

    def not_undone(self, firsts: QuerySet[Any]) -> QuerySet[Any]:
        """Leave out history rows whose rows the undo of the import has taken back already."""
        undone = f"{_UNDO}{self.reason.removeprefix(_IMPORT)}"
        taken = Q(history_change_reason=undone, history_id__gt=self.newest)
        return firsts.filter(~Exists(self.newer().filter(taken)))


@dataclass(slots=True)
class Part:
    """What becomes of some rows, by their keys. `back` says which history row each goes back to.

    `at` says which history row of the import was the first of each.
    """

    back: dict[Any, int] = field(default_factory=dict)
    away: list[Any] = field(default_factory=list)
    left: dict[Any, str] = field(default_factory=dict)
    at: dict[Any, int] = field(default_factory=dict)

    def leave(self, keys: Iterable[Any], why: str) -> None:
        """Leave these rows as they are."""
        for key in keys:
            self.left[key] = why
            self.back.pop(key, None)
        self.away = [key for key in self.away if key not in self.left]


def judge(past: Past, ids: Sequence[int]) -> Part:
    """Say what becomes of the rows whose first history rows of the import are `ids`.

    Locks the rows first, so that nobody edits one, or begins to use it, before the transaction
    ends; call it inside one.
    """
    part = own(past, ids)
    while users := used(past.model, part.away, {past.model: part.away}):
        part.leave(users, _Why.USED)
    return part


def own(past: Past, ids: Sequence[int]) -> Part:
    """Say the same from what the rows went through, whoever uses them."""
    firsts = past.rows.filter(history_id__in=ids)
    present = _locked(past.model, list(firsts.values_list(past.key, flat=True)))
    part = Part()
    found = list(_looked_at(past, firsts))
    edited = _edited(past, {key: at for key, at, *_rest, since in found if since})
    for key, at, kind, before, kind_before, _since in found:
        part.at[key] = at
        if key not in present:
            part.left[key] = _Why.GONE
        elif key in edited:
            part.left[key] = _Why.EDITED
        elif past.model._meta.parents:
            part.left[key] = _Why.USED if kind == MADE else _Why.UNKNOWN
        elif kind == MADE:
            part.away.append(key)
        elif before is None or kind_before == GONE:
            part.left[key] = _Why.UNKNOWN
        else:
            part.back[key] = before
    _leave_unfitting(past, part)
    return part


def _locked(model: type[Model], keys: list[Any]) -> set[Any]:
    rows = model._base_manager.filter(pk__in=keys).order_by("pk").select_for_update(of=("self",))
    return set(rows.values_list("pk", flat=True))


def _looked_at(past: Past, firsts: QuerySet[Any]) -> Iterator[tuple[Any, ...]]:
    before = past.older().order_by("-history_id")
    return iter(
        firsts.annotate(
            before=Subquery(before.values("history_id")[:1]),
            kind_before=Subquery(before.values("history_type")[:1]),
            since=Exists(past.newer().exclude(past.mine)),
        )
        .order_by("-history_id")
        .values_list(past.key, "history_id", "history_type", "before", "kind_before", "since")
    )


def _edited(past: Past, firsts: dict[Any, int]) -> set[Any]:
    """Return which rows others changed after the import's first history row (key -> its id).

    What another import wrote, and its undo took back, changed nothing.
    """
    if not firsts:
        return set()
    newer = past.rows.filter(
        **{f"{past.key}__in": list(firsts)}, history_id__gt=min(firsts.values())
    )
    told: dict[Any, list[str]] = {key: [] for key in firsts}
    rows = newer.exclude(past.mine).order_by("history_id")
    for key, at, reason in rows.values_list(past.key, "history_id", "history_change_reason"):
        if at > firsts[key]:
            told[key].append(reason or "")
    undone = _undone({reason for reasons in told.values() for reason in reasons})
    return {key for key, reasons in told.items() if _remains(reasons, undone)}


def _undone(reasons: set[str]) -> set[str]:
    """Return the numbers of the imports that were undone, of those that the reasons name."""
    named = {reason.removeprefix(_UNDO) for reason in reasons if reason.startswith(_UNDO)}
    numbers = [one for one in named if _is_number(one)]
    undone = Undo.objects.filter(import_job__public_id__in=numbers)
    return {str(one) for one in undone.values_list("import_job__public_id", flat=True)}


def _is_number(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _remains(reasons: list[str], undone: set[str]) -> bool:
    """Say whether a change remains, of those with these reasons, in the order of their making."""
    left: list[str] = []
    for reason in reasons:
        number = reason.removeprefix(_UNDO)
        if reason.startswith(_UNDO) and number in undone:
            left = [one for one in left if one != f"{_IMPORT}{number}"]
        else:
            left.append(reason)
    return bool(left)


def used(
    model: type[Model], keys: Sequence[Any], going: Mapping[type[Model], Collection[Any]]
) -> set[Any]:
    """Return which of these rows something points at, but for rows that go as well."""
    found = pointers.used(model, keys)
    for users, name in _pointing_at(model) if keys else ():
        rows = users._base_manager.filter(**{f"{name}__pk__in": keys})
        rows = rows.exclude(pk__in=going.get(users, ()))
        found.update(rows.order_by().values_list(f"{name}__pk", flat=True).distinct())
    return found


def _pointing_at(model: type[Model]) -> Iterator[tuple[type[Model], str]]:
    """Yield (model, name of its field) of each foreign key to the model.

    Left out are histories, which point without holding, and the model's own lists of others.
    """
    for one in model._meta.get_fields(include_hidden=True):
        if not (one.auto_created and (one.one_to_many or one.one_to_one)) or one.concrete:
            continue
        relation: Any = one
        users, key = relation.related_model, relation.field
        is_history = hasattr(users, "tracked_fields") and not key.db_constraint
        if not is_history and (users, key.name) not in _own_lists(model):
            yield users, key.name


def _own_lists(model: type[Model]) -> list[tuple[Any, str]]:
    """Return (table between, its column to the model) of the model's own many-to-many fields."""
    own: list[Any] = list(model._meta.local_many_to_many)
    return [
        (one.remote_field.through, one.m2m_field_name())
        for one in own
        if one.remote_field.through._meta.auto_created
    ]


def _leave_unfitting(past: Past, part: Part) -> None:
    """Leave the rows whose version before points at something that is gone."""
    for one in _held_keys(past) if part.back else ():
        target = one.remote_field.model._base_manager.filter(
            **{one.target_field.attname: OuterRef(one.attname)}
        )
        lost = past.rows.filter(~Exists(target), history_id__in=list(part.back.values()))
        lost = lost.exclude(**{one.attname: None})
        part.leave(lost.values_list(past.key, flat=True), _Why.REFUSED)


def _held_keys(past: Past) -> list[Any]:
    """Return the model's foreign keys that the database holds and the history has."""
    kept = {one.name for one in past.rows.model.tracked_fields}
    keys: list[Any] = [one for one in past.model._meta.concrete_fields if one.name in kept]
    return [one for one in keys if isinstance(one, ForeignKey) and one.db_constraint]  # type: ignore[attr-defined]


def carry_out(past: Past, part: Part, *, actor: Any, reason: str) -> None:
    """Do it, with a history row for each row. Raises what `refusals.REFUSED` names."""
    put_back(past, part.back, actor=actor, reason=reason)
    take_away(past, part.away, actor=actor, reason=reason)


def carry_out_singly(past: Past, part: Part, *, actor: Any, reason: str) -> None:
    """Do it row by row; what the database refuses is left, and said to be."""
    signed = {"actor": actor, "reason": reason}
    for key, before in list(part.back.items()):
        if not _is_taken(partial(put_back, past, {key: before}, **signed)):
            part.leave([key], _Why.REFUSED)
    for key in list(part.away):
        if not _is_taken(partial(take_away, past, [key], **signed)):
            part.leave([key], _Why.USED)


def _is_taken(act: Callable[[], None]) -> bool:
    try:
        with transaction.atomic():
            act()
    except refusals.REFUSED:
        return False
    return True


def put_back(past: Past, versions: dict[Any, int], *, actor: Any, reason: str) -> None:
    """Copy each version (key -> history row) into its row, and the row into its history."""
    if not versions:
        return
    model, table = past.model, past.rows.model
    connection: Any = connections[router.db_for_write(model)]
    quote = connection.ops.quote_name
    names = [quote(one.column) for one in _columns(model, table)]
    setting = ", ".join(f"{name} = h.{name}" for name in names)
    key, kept = quote(model._meta.pk.column), quote(table._meta.pk.column)
    marks = ", ".join(["%s"] * len(versions))
    sql = (
        f"UPDATE {quote(model._meta.db_table)} SET {setting}"  # noqa: S608 - the models' own names
        f" FROM {quote(table._meta.db_table)} h"
        f" WHERE h.{kept} IN ({marks}) AND {quote(model._meta.db_table)}.{key} = h.{key}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, list(versions.values()))
    history.write(model, list(versions), "~", actor=actor, reason=reason)


def _columns(model: type[Model], table: Any) -> list[Any]:
    """Return the columns that the history holds and that can be written, but for the key."""
    return [
        one
        for one in table.tracked_fields
        if not one.many_to_many
        and not one.primary_key
        and one.name != model._meta.pk.name
        and not getattr(one, "generated", False)
    ]


def take_away(past: Past, keys: list[Any], *, actor: Any, reason: str) -> None:
    """Delete rows that nobody points at; each leaves its last values in the history."""
    if not keys:
        return
    model = past.model
    history.write(model, keys, GONE, actor=actor, reason=reason)
    for between, column in _own_lists(model):
        _delete(between, between._meta.get_field(column), keys)
    _delete(model, model._meta.pk, keys)


def _delete(model: Any, column: Any, keys: list[Any]) -> None:
    """Delete by SQL: Django's way would collect, load and cascade."""
    connection = connections[router.db_for_write(model)]
    quote, marks = connection.ops.quote_name, ", ".join(["%s"] * len(keys))
    prepared = [column.get_db_prep_value(key, connection) for key in keys]
    sql = f"DELETE FROM {quote(model._meta.db_table)} WHERE {quote(column.column)} IN ({marks})"  # noqa: S608 - the models' own names
    with connection.cursor() as cursor:
        cursor.execute(sql, prepared)
