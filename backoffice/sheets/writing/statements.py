"""Rows and their history written by the database itself: a table of the chunk, then statements.

The chunk goes into a temporary table (COPY on PostgreSQL, executemany on SQLite). Statements then
find the rows that differ, change them, make the missing ones, and copy all of them into the
history. Everything runs in the transaction of its caller.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from types import NoneType
from typing import Any, Final

from django.db import connections, models, router
from django.db.models.fields import NOT_PROVIDED
from django.utils import timezone

from backoffice.audit import history

_UTC: Final = "+00:00"
# What the text format of COPY takes for something else, and how it is written there.
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_SPECIAL: Final = re.compile(r"[\\\t\n\r]")


@dataclass(slots=True)
class Written:
    """How many rows of a chunk were made, changed, and found as they should be."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """Who writes, why and when."""

    actor: Any
    reason: str
    at: datetime


class Upsert:
    """Writes chunks of one model: rows that exist by `keys` are compared, others are made.

    `names` are the attributes that the chunk brings, keys among them; no two rows have one key.
    """

    def __init__(
        self,
        model: type[models.Model],
        keys: Sequence[str],
        names: Sequence[str],
        *,
        creates: bool = True,
        updates: bool = True,
    ) -> None:
        self.model, self.creates, self.updates = model, creates, updates
        self.connection: Any = connections[router.db_for_write(model)]
        self._is_postgres = self.connection.vendor == "postgresql"
        self.quote: Callable[[str], str] = self.connection.ops.quote_name
        self.keys = [_field(model, name) for name in keys]
        self.fields = [_field(model, name) for name in names]
        self.table = self.quote(model._meta.db_table)
        self.key = self.quote(str(model._meta.pk.column))
        self.rows = self.quote(f"sheet_{model._meta.db_table}"[:60])
        self.changed = self.quote(f"changed_{model._meta.db_table}"[:60])
        self._others = [one for one in self.fields if one not in self.keys]
        self._constants, self._made = self._fills()

    def _fills(self) -> tuple[dict[Any, Any], dict[Any, Callable[[], Any]]]:
        """Return what new rows hold in the columns that the chunk does not bring."""
        constants: dict[Any, Any] = {}
        made: dict[Any, Callable[[], Any]] = {}
        for one in self.model._meta.concrete_fields:
            by_database = one.has_db_default() or one.generated
            if one in self.fields or by_database or isinstance(one, models.AutoField):
                continue
            if getattr(one, "auto_now", False) or getattr(one, "auto_now_add", False):
                constants[one] = None
            elif callable(one.default) and one.default is not NOT_PROVIDED:
                made[one] = one.default
            else:
                constants[one] = one.get_default()
        return constants, made

    def write(self, columns: Sequence[Sequence[Any]], signature: Signature) -> Written:
        """Write rows given as columns in the order of `names`, prepared by `prepared`."""
        result = Written()
        with self.connection.cursor() as cursor:
            size = self._fill(cursor, columns)
            matched = self._count(cursor, f"{self.rows} r JOIN {self.table} t ON {self._same()}")
            if matched:
                result.updated = self._update(cursor, signature) if self.updates else 0
                result.unchanged = matched - result.updated
                cursor.execute(
                    f"DELETE FROM {self.rows} WHERE EXISTS"  # noqa: S608 - names of the models
                    f" (SELECT 1 FROM {self.table} t WHERE {self._same(self.rows)})"
                )
            if self.creates and matched < size:
                result.created = self._create(cursor, signature)
        return result

    def _count(self, cursor: Any, source: str) -> int:
        cursor.execute(f"SELECT count(*) FROM {source}")  # noqa: S608 - names of the models
        return int(cursor.fetchone()[0])

    def _same(self, rows: str = "r") -> str:
        pairs = (self.quote(one.column) for one in self.keys)
        return " AND ".join(f"t.{name} = {rows}.{name}" for name in pairs)

    def _fill(self, cursor: Any, columns: Sequence[Sequence[Any]]) -> int:
        """Put the chunk into its table; return how many rows it has."""
        fields = [*self.fields, *self._made]
        self._make_tables(cursor, fields)
        size = len(columns[0])
        filled = (
            [self._prepared(one, make()) for _row in range(size)]
            for one, make in self._made.items()
        )
        rows = zip(count(), *columns, *filled, strict=False)
        names = ", ".join(["n", *(self.quote(one.column) for one in fields)])
        if self._is_postgres:
            _copy_in(cursor, f"COPY {self.rows} ({names}) FROM STDIN", list(_first(rows, size)))
        else:
            marks = ", ".join(["%s"] * (len(fields) + 1))
            sql = f"INSERT INTO {self.rows} ({names}) VALUES ({marks})"  # noqa: S608
            cursor.executemany(sql, _first(rows, size))
        return size

    def _make_tables(self, cursor: Any, fields: Sequence[Any]) -> None:
        columns = ", ".join(f"{self.quote(one.column)} {self._type(one)}" for one in fields)
        key = self._type(self.model._meta.pk)
        # SQLite's rows lie by such a key anyway; elsewhere it would be an index to be kept.
        number = "integer" if self._is_postgres else "integer PRIMARY KEY"
        bodies = {self.rows: f"n {number}, {columns}", self.changed: f"k {key}"}
        # The schema is said: a table of the same name that is not temporary stays.
        schema = "pg_temp" if self._is_postgres else "temp"
        for name, body in bodies.items():
            cursor.execute(f"DROP TABLE IF EXISTS {schema}.{name}")
            cursor.execute(f"CREATE TEMPORARY TABLE {name} ({body})")

    def _type(self, field: Any) -> str:
        is_auto = isinstance(field, models.AutoField)
        return str(
            field.rel_db_type(self.connection) if is_auto else field.db_type(self.connection)
        )

    def _update(self, cursor: Any, signature: Signature) -> int:
        """Change the rows that differ, with their history; return how many."""
        names = [self.quote(one.column) for one in self._others]
        if not names:
            return 0
        differs = "IS DISTINCT FROM" if self._is_postgres else "IS NOT"
        different = " OR ".join(f"t.{name} {differs} r.{name}" for name in names)
        cursor.execute(
            f"INSERT INTO {self.changed} SELECT t.{self.key} FROM {self.rows} r"  # noqa: S608
            f" JOIN {self.table} t ON {self._same()} WHERE {different}"
        )
        changed = int(cursor.rowcount)
        if not changed:
            return 0
        chosen = f"SELECT k FROM {self.changed}"  # noqa: S608 - names of the models
        now = [one for one in self._constants if getattr(one, "auto_now", False)]
        into = [f"{name} = r.{name}" for name in names]
        into += [f"{self.quote(one.column)} = %s" for one in now]
        cursor.execute(
            f"UPDATE {self.table} AS t SET {', '.join(into)} FROM {self.rows} r"  # noqa: S608
            f" WHERE {self._same()} AND t.{self.key} IN ({chosen})",
            [self._now(one, signature.at) for one in now],
        )
        self._remember(chosen, "~", signature)
        return changed

    def _create(self, cursor: Any, signature: Signature) -> int:
        """Make the rows that are left in the chunk's table, with their history."""
        brought = [self.quote(one.column) for one in (*self.fields, *self._made)]
        into = ", ".join([*brought, *(self.quote(one.column) for one in self._constants)])
        marks = "".join(", %s" for _one in self._constants)
        insert = (
            f"INSERT INTO {self.table} ({into}) SELECT {', '.join(brought)}{marks}"  # noqa: S608
            f" FROM {self.rows} r ORDER BY n"
        )
        values = [
            self._constant(one, value, signature.at) for one, value in self._constants.items()
        ]
        if self._is_postgres and history.is_tracked(self.model):
            by = {"actor": signature.actor, "reason": signature.reason, "at": signature.at}
            return history.write_made(self.model, insert, values, **by)
        cursor.execute(insert, values)
        created = int(cursor.rowcount)
        self._remember(
            f"SELECT t.{self.key} FROM {self.rows} r JOIN {self.table} t ON {self._same()}",  # noqa: S608
            "+",
            signature,
        )
        return created

    def _remember(self, keys: str, kind: str, by: Signature) -> None:
        if history.is_tracked(self.model):
            history.write_chosen(self.model, keys, kind, actor=by.actor, reason=by.reason, at=by.at)

    def _constant(self, field: Any, value: Any, at: datetime) -> Any:
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            return self._now(field, at)
        return self._prepared(field, value)

    def _now(self, field: Any, at: datetime) -> Any:
        if isinstance(field, models.DateTimeField):
            return self._prepared(field, at)
        local = timezone.localtime(at)
        is_date = isinstance(field, models.DateField)
        return self._prepared(field, local.date() if is_date else local.time())

    def _prepared(self, field: Any, value: Any) -> Any:
        return field.get_db_prep_save(value, self.connection)


def _copy_in(cursor: Any, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Send rows to a COPY: as lines made column by column where all values are plain."""
    lines = _lines(rows)
    with cursor.copy(sql) as copy:
        if lines is not None:
            copy.write(lines)
        for row in rows if lines is None else ():
            copy.write_row(row)


def _lines(rows: Sequence[Sequence[Any]]) -> str | None:
    """Return rows in the text format of COPY; None where a value is neither text nor whole."""
    columns = []
    for values in zip(*rows, strict=True):
        kinds = set(map(type, values))
        if not kinds <= {int, str, NoneType}:
            return None
        if str in kinds:
            columns.append(_escaped(values))
        else:
            columns.append(["\\N" if one is None else str(one) for one in values])
    return "".join(f"{line}\n" for line in map("\t".join, zip(*columns, strict=True)))


def _escaped(values: Sequence[Any]) -> Sequence[str]:
    """Return texts as COPY takes them; most columns hold none that it would read otherwise."""
    try:
        whole = "".join(values)
    except TypeError:  # some are empty, or numbers
        return ["\\N" if one is None else str(one).translate(_ESCAPES) for one in values]
    return [one.translate(_ESCAPES) for one in values] if _SPECIAL.search(whole) else values


def _first(rows: Iterable[Any], size: int) -> Iterable[Any]:
    return (row for row, _index in zip(rows, range(size), strict=False))


def _field(model: type[models.Model], name: str) -> Any:
    return next(one for one in model._meta.concrete_fields if one.attname == name)


# What these hold stands in the staged part as the database takes it.
_READY: Final = (
    models.AutoField, models.CharField, models.TextField, models.IntegerField, models.BooleanField,
    models.FloatField, models.DecimalField, models.ForeignKey,
)  # fmt: skip


def prepared(field: Any, values: list[Any], connection: Any) -> list[Any]:
    """Return staged values (`staging.load` with decoded=False) as the database takes them."""
    if isinstance(field, _READY):
        return values
    if isinstance(field, models.DateTimeField):
        return values if connection.vendor == "postgresql" else [_moment(one) for one in values]
    return [
        None if one is None else field.get_db_prep_save(field.to_python(one), connection)
        for one in values
    ]


def _moment(text: str | None) -> str | None:
    """Return a moment as Django writes it to SQLite: in UTC, which is not said."""
    if text is None:
        return None
    if text.endswith(_UTC):
        return text[: -len(_UTC)]
    return str(datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None))
