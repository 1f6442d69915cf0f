"""PostgreSQL's COPY asks no field what to write: refused for masked columns, and done right here.

COPY writes what it is given: a value without its blind index, which nothing finds, or in clear
where the column is encrypted. `copy_in` writes rows by COPY as saving them would.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import batched
from typing import Any, Final

from django.db import NotSupportedError, connections, models, router, transaction

from backoffice.audit import history
from backoffice.masking import indexes, uniqueness
from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.masking.indexes import index_of
from backoffice.masking.statements import masked_columns
from backoffice.masking.values import MaskedQueryError

BATCH: Final = 5000
_ours: ContextVar[bool] = ContextVar("masking_copies", default=False)
_GAP = r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*"
# With a query in parentheses COPY only reads.
_COPY = re.compile(rf"{_GAP}copy\b(?!{_GAP}\()(?=.*\bfrom\b)", re.IGNORECASE | re.DOTALL)


def install() -> None:
    """Put the guard into the cursors of Django's PostgreSQL connections, once."""
    if all(connection.vendor != "postgresql" for connection in connections.all()):
        return
    from django.db.backends.postgresql.base import CursorMixin  # noqa: PLC0415 - needs psycopg

    for name in ("copy", "execute"):
        if name not in vars(CursorMixin):
            setattr(CursorMixin, name, _guarded(CursorMixin, name))


def _guarded(owner: type, name: str) -> Any:
    def method(self: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
        require_plain(_text(statement, self))
        return getattr(super(owner, self), name)(statement, *args, **kwargs)

    return method


def _text(statement: Any, cursor: Any) -> str:
    if isinstance(statement, bytes):
        return statement.decode(errors="replace")
    return str(statement.as_string(cursor) if hasattr(statement, "as_string") else statement)


def require_plain(text: str) -> None:
    """Raise MaskedQueryError for a COPY into a table with masked columns that is not ours."""
    if _COPY.match(text) and not _ours.get():
        for table in masked_columns():
            if re.search(rf"(?<!\w){re.escape(table)}(?!\w)", text, re.IGNORECASE):
                msg = f"COPY writes {table} past its masked fields: use masking.copying.copy_in"
                raise MaskedQueryError(msg)


@contextmanager
def _open() -> Iterator[None]:
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def copy_in[M: models.Model](model: type[M], rows: Iterable[M], *, using: str | None = None) -> int:
    """Write new rows by COPY, sealed and indexed as saving does; return how many.

    All or nothing. Like `bulk_create` it validates nothing and calls no `save()`; it gives no keys
    back. Rows are taken BATCH at a time. Where the first row has a key, all have one.

    Raises NotSupportedError on another database, for a model with a parent table, and while a
    value that is to stay single has two keys of its index; MaskWriteError for a mask; TypeError for
    an expression; UnrecordedWriteError outside of `history.recorded()` for a model with a history.
    """
    connection = connections[using or router.db_for_write(model)]
    _require_possible(model, connection)
    count, fields = 0, list[Any]()
    with transaction.atomic(connection.alias):
        # Taken before each COPY: whoever makes the rows may ask the database for them.
        for part in batched(rows, BATCH):
            fields = fields or _written(model, part[0])
            _copy(connection, model, fields, part)
            count += len(part)
    return count


def _copy(connection: Any, model: type[models.Model], fields: list[Any], rows: Any) -> None:
    with connection.wrap_database_errors, connection.cursor() as cursor:
        with _open():
            block = cursor.copy(_statement(connection, model, fields))
        with block as copy:
            for row in rows:
                copy.write_row([_stored(field, row, connection) for field in fields])


def _require_possible(model: type[models.Model], connection: Any) -> None:
    if connection.vendor != "postgresql":
        raise NotSupportedError("only PostgreSQL has COPY: use bulk_create")
    if model._meta.parents:
        raise NotSupportedError("a model with a parent table has more than one table")
    if len(indexes.ring()) > 1 and any(map(_is_single, masked_fields(model))):
        msg = "while the index has two keys, COPY cannot keep a value single: use bulk_create"
        raise NotSupportedError(msg)
    history.require_recorded(model, "copy_in", "history.recorded() and history.write")


def _is_single(field: MaskedMixin) -> bool:
    index = index_of(field)
    return index is not None and bool(uniqueness.rules(index))


def _written(model: type[models.Model], first: models.Model) -> list[Any]:
    """Return the columns to write; the database counts the keys where the first row has none."""
    own = [field for field in model._meta.local_concrete_fields if not field.generated]
    return [field for field in own if first.pk is not None or field is not model._meta.auto_field]


def _statement(connection: Any, model: type[models.Model], fields: list[Any]) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    return f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"


def _stored(field: Any, row: models.Model, connection: Any) -> Any:
    value = field.pre_save(row, add=True)
    if hasattr(value, "resolve_expression"):
        msg = f"{field}: COPY takes values, no expressions"
        raise TypeError(msg)
    return field.get_db_prep_save(value, connection)
