"""Migrations that turn a plain column into a masked one, and back, without losing a row.

`makemigrations` changes the column (`AlterField`) and adds the one of the blind index (`AddField`);
`FillMasked`, in a migration of its own after that, brings the values along:

    class Migration(migrations.Migration):
        atomic = False
        dependencies = [("clinic", "0002_mask_patient")]
        operations = [
            FillMasked("patient", "phone", "born"),
            FillMasked("historicalpatient", "phone", "born"),
        ]
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.migrations.operations.base import Operation

from backoffice.masking import ciphers
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.indexes import BlindIndexField, index_of

BATCH: Final = 1000

type Row = dict[str, Any]


class FillMasked(Operation):
    """Seal the values of encrypted fields and compute the blind indexes; backwards, unseal them.

    It goes in batches by the primary key, each in a transaction of its own where the migration is
    not atomic. Run again after it was stopped it ends what it began: a value that its key opens is
    left as it is. Values are never deleted: what no key opens stays when it goes backwards, which
    then raises ValueError before the column changes back.
    """

    reduces_to_sql = False
    reversible = True

    def __init__(self, model_name: str, *fields: str, batch: int = BATCH) -> None:
        self.model_name = model_name
        self.fields = fields
        self.batch = batch

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return what a migration writes."""
        more = {} if self.batch == BATCH else {"batch": self.batch}
        return type(self).__name__, [self.model_name, *self.fields], more

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing: the columns are there already."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Seal and index."""
        self._each(app_label, schema_editor, to_state, _masked)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Unseal; the column of the index goes with its own operation."""
        self._each(app_label, schema_editor, to_state, _plain)

    def describe(self) -> str:
        """Return a line for `migrate`."""
        return f"Mask the values of {', '.join(self.fields)} on {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        """Return a part of a file name."""
        return f"{_words(type(self).__name__)}_{self.model_name.lower()}"

    def _each(
        self, app_label: str, editor: Any, state: Any, change: Callable[[Any, Row], Row]
    ) -> None:
        model = state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(editor.connection.alias, model):
            return
        fields = [_require_masked(model, name) for name in self.fields]
        columns = [field.column for field in fields]
        columns += [index.column for field in fields if (index := index_of(field)) is not None]
        last: Any = None
        while True:
            with transaction.atomic(editor.connection.alias):
                rows = _page(editor.connection, model, columns, last, self.batch)
                changes = [(row, found) for row in rows if (found := _all(fields, row, change))]
                _write(editor.connection, model, changes)
            if not rows:
                return
            last = rows[-1][model._meta.pk.column]


class FillIndexes(FillMasked):
    """Compute the blind indexes anew, by the fields as they stand where the operation stands.

    For a change of what values are compared by: once before it and once after it. The one before
    does the work on the way back.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Index."""
        self._each(app_label, schema_editor, to_state, _indexed_anew)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Index, by the fields as they were here."""
        self._each(app_label, schema_editor, to_state, _indexed_anew)

    def describe(self) -> str:
        """Return a line for `migrate`."""
        return f"Compute the indexes of {', '.join(self.fields)} on {self.model_name}"


def _words(name: str) -> str:
    return re.sub("(?<!^)([A-Z])", r"_\1", name).lower()


def _require_masked(model: Any, name: str) -> Any:
    field = model._meta.get_field(name)
    if not isinstance(field, MaskedMixin):
        msg = f"{model._meta.label}.{name} is not masked in this migration"
        raise TypeError(msg)
    return field


def _all(fields: list[Any], row: Row, change: Callable[[Any, Row], Row]) -> Row:
    """Return the columns of a row that change, with their new values."""
    found: Row = {}
    for field in fields:
        found |= change(field, row)
    return {column: value for column, value in found.items() if row[column] != value}


def _masked(field: Any, row: Row) -> Row:
    value, index = row[field.column], index_of(field)
    if value is None or value == "":
        return {} if index is None or value is None else {str(index.column): ""}
    found: Row = {}
    if field.encrypted:
        known = ciphers.read(str(value), field.binding)
        if known is None:
            found[field.column] = ciphers.written(str(value), field.binding)
        value = value if known is None else known
    return found if index is None else found | _indexed(field, index, value)


def _indexed_anew(field: Any, row: Row) -> Row:
    value, index = row[field.column], index_of(field)
    if index is None or value is None:
        return {}
    if field.encrypted and value != "":
        value = ciphers.read(str(value), field.binding)
        if value is None:  # what no key opens keeps the index that it has
            return {}
    return {str(index.column): ""} if value == "" else _indexed(field, index, value)


def _indexed(field: Any, index: BlindIndexField, value: Any) -> Row:
    try:
        return {str(index.column): index.digest_of(field.to_clear(value))}
    except ValidationError:  # SQLite keeps what is no date in a column of dates
        return {}


def _plain(field: Any, row: Row) -> Row:
    value = row[field.column]
    if not field.encrypted or not value:
        return {}
    clear = ciphers.read(str(value), field.binding)
    if clear is None and str(value).startswith(ciphers.FORM):
        msg = f"{field.binding}: a value that no key opens cannot become plain"
        raise ValueError(msg)
    return {} if clear is None else {field.column: clear}


def _page(connection: Any, model: Any, columns: list[str], after: Any, batch: int) -> list[Row]:
    """Return the next rows as the database has them, locked where it can."""
    quote, names = connection.ops.quote_name, [model._meta.pk.column, *columns]
    key = quote(names[0])
    where = "" if after is None else f"WHERE {key} > %s"
    lock = connection.ops.for_update_sql() if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(map(quote, names))} FROM {quote(model._meta.db_table)} "  # noqa: S608
            f"{where} ORDER BY {key} LIMIT {int(batch)} {lock}",
            [] if after is None else [after],
        )
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _write(connection: Any, model: Any, changes: list[tuple[Row, Row]]) -> None:
    quote, key = connection.ops.quote_name, model._meta.pk.column
    with connection.cursor() as cursor:
        for columns, rows in _grouped(changes, key):
            put = ", ".join(f"{quote(column)} = %s" for column in columns)
            table = quote(model._meta.db_table)
            cursor.executemany(f"UPDATE {table} SET {put} WHERE {quote(key)} = %s", rows)  # noqa: S608


def _grouped(changes: list[tuple[Row, Row]], key: str) -> Iterator[tuple[Any, list[list[Any]]]]:
    """Yield the rows that change the same columns, each as its new values and its key."""
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for row, values in changes:
        groups.setdefault(tuple(values), []).append([*values.values(), row[key]])
    yield from groups.items()
