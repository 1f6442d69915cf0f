"""Csv by PostgreSQL itself: COPY writes the rows of a list, which Python never sees.

Only where every column is a plain one of the database: what is masked, computed in Python, or
written by the two in different ways (floats, documents) goes row by row. A file of both ways reads
alike, text by text.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import QuerySet

from backoffice.sheets.intake.escapes import ESCAPED

CHUNK: Final = 64 * 1024
_UTC: Final = "{0} AT TIME ZONE 'UTC'"
# The code of the first character, 0 for an empty text: numbers are compared faster than texts.
_STARTS: Final = ", ".join(str(ord(start)) for start in sorted(ESCAPED))
_TEXT: Final = f"CASE WHEN ascii({{0}}) IN ({_STARTS}) THEN '''' || {{0}} ELSE {{0}} END"
# The usual moment, of whole seconds, is a cast: `to_char` takes several times as long.
_MOMENT: Final = (
    f"CASE WHEN date_trunc('second', {{0}}) = {{0}} THEN ({_UTC})::text "
    f"ELSE to_char({_UTC}, 'YYYY-MM-DD HH24:MI:SS.US') END || '+00:00'"
)
_YES_OR_NO: Final = "CASE WHEN {0} THEN 'true' WHEN NOT {0} THEN 'false' END"
# By the very class: a field that derives from one may bring its values in another way.
_WAYS: Final[dict[type[models.Field[Any, Any]], str]] = {
    **dict.fromkeys(
        (models.CharField, models.TextField, models.EmailField, models.SlugField, models.URLField),
        _TEXT,
    ),
    **dict.fromkeys(
        (
            models.AutoField,
            models.BigAutoField,
            models.SmallAutoField,
            models.IntegerField,
            models.BigIntegerField,
            models.SmallIntegerField,
            models.PositiveIntegerField,
            models.PositiveBigIntegerField,
            models.PositiveSmallIntegerField,
            models.DecimalField,
            models.DateField,
            models.UUIDField,
        ),
        "{0}",
    ),
    models.DateTimeField: _MOMENT,
    models.BooleanField: _YES_OR_NO,
}

Words = dict[Any, str]


class Copyable(Protocol):
    """Rows that know their query: `fields` in the order of the columns, None for a computed one.

    `words` has what stands in the file for the values of a column with choices. Two more are asked
    where they are there: `apart` for a connection of its own, `passed(n)` is told of rows written.
    """

    queryset: QuerySet[Any]
    fields: "list[models.Field[Any, Any] | None]"
    words: list[Words]


def parts(rows: Any) -> Iterator[bytes] | None:
    """Return the lines of a csv file without its head; None where COPY cannot serve."""
    if not all(hasattr(rows, name) for name in ("queryset", "fields", "words")):
        return None
    if connections[rows.queryset.db].vendor != "postgresql":
        return None
    ways = [_WAYS.get(type(field), "") for field in rows.fields if field is not None]
    possible = bool(ways) and len(ways) == len(rows.fields) and all(ways)
    if not possible:
        return None
    try:
        return _copied(rows, *_statement(rows, ways))
    except EmptyResultSet:  # nothing is asked of the database: the usual way writes no rows
        return None


def _copied(rows: Copyable, statement: str, params: list[Any]) -> Iterator[bytes]:
    passed: Callable[[int], None] = getattr(rows, "passed", lambda _rows: None)
    held, size = list[Any](), 0
    with _connection(rows) as connection, connection.cursor() as cursor:
        # Moments are written by ISO 8601, whatever the server's setting is.
        cursor.execute("SET datestyle TO ISO")
        with _opened(cursor)(statement, params) as copy:
            for line in copy:
                held.append(line)
                size += len(line)
                if size >= CHUNK:
                    passed(len(held))
                    yield b"".join(held)
                    held, size = [], 0
    passed(len(held))
    yield b"".join(held)


@contextmanager
def _connection(rows: Copyable) -> Iterator[Any]:
    """Give the connection; a new one for who has to write meanwhile, unless rows wait here."""
    usual = connections[rows.queryset.db]
    if not getattr(rows, "apart", False) or usual.in_atomic_block:
        yield usual
        return
    own = usual.copy()
    try:
        yield own
    finally:
        own.close()


def _opened(cursor: Any) -> Callable[..., Any]:
    """Return the `copy` of psycopg's cursor, which merges parameters by itself."""
    opened: Callable[..., Any] = cursor.copy
    return opened


def _statement(rows: Copyable, ways: list[str]) -> tuple[str, list[Any]]:
    """Return the COPY and its parameters: each column of the list's own query, turned into text."""
    names = [field.name for field in rows.fields if field is not None]
    sql, inside = rows.queryset.values_list(*names).query.sql_with_params()
    columns, params = [], list[Any]()
    for number, (way, words) in enumerate(zip(ways, rows.words, strict=True)):
        column = f"c{number}"
        text, values = _with_words(column, words) if words else (way.format(column), [])
        columns.append(text)
        params += values
    aliases = ", ".join(f"c{number}" for number in range(len(ways)))
    wanted = ", ".join(columns)
    # Of ours and of Django's making; values stand in the parameters.
    statement = f"COPY (SELECT {wanted} FROM ({sql}) AS list({aliases})) TO STDOUT"  # noqa: S608
    return f"{statement} WITH (FORMAT csv, ENCODING 'UTF8')", [*params, *inside]


def _with_words(column: str, words: Words) -> tuple[str, list[Any]]:
    text = _TEXT.format(f"{column}::text")
    lines = " ".join("WHEN %s THEN %s" for _value in words)
    pairs = [one for value, label in words.items() for one in (str(value), label)]
    return f"CASE {column}::text {lines} ELSE {text} END", pairs
