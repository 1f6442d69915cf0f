"""Rows of plain columns out of the database, as Django reads them, with less work on SQLite.

SQLite has neither decimals nor times: Django makes them of floats and text, by ways that cost more
than all the rest of a row. Here the same values are made by shorter ones.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import connections, models
from django.db.models import QuerySet
from django.db.models.sql.constants import MULTI

# Digits that a float keeps of a decimal.
_EXACT: Final = 15

type Convert = Callable[[Sequence[Any]], Sequence[Any]]


def tuples(rows: QuerySet[Any], names: Sequence[str], size: int) -> Iterator[Sequence[Any]]:
    """Yield the columns `names`, fields of the model, of the rows; `size` of them at a time."""
    found = rows.select_related(None).prefetch_related(None).values_list(*names)
    if connections[found.db].vendor != "sqlite":
        return iter(found.iterator(chunk_size=size))
    return _by_shorter_ways(found, size)


def _by_shorter_ways(rows: QuerySet[Any], size: int) -> Iterator[Sequence[Any]]:
    """Do as `values_list` does, a column of a block at a time."""
    compiler: Any = rows.query.get_compiler(rows.db)
    blocks = compiler.execute_sql(MULTI, chunked_fetch=True, chunk_size=size)
    converters = _converters(compiler)
    for block in blocks:
        columns: list[Sequence[Any]] = list(zip(*block, strict=True))
        for place, convert in converters:
            columns[place] = convert(columns[place])
        yield from zip(*columns, strict=True)


def _converters(compiler: Any) -> list[tuple[int, Convert]]:
    """Return the places of columns that are made of what SQLite holds, and how."""
    columns = [one[0] for one in compiler.select[: compiler.col_count]]
    usual = compiler.get_converters(columns)
    return [
        (place, _way(column, functions, compiler.connection))
        for place, (functions, column) in usual.items()
    ]


def _way(column: Any, functions: list[Any], connection: Any) -> Convert:
    """Return a shorter way to the same values; the usual one for any field that is no plain one."""
    field = column.output_field
    if type(field) is models.DateTimeField and connection.timezone is UTC:
        return _moments(partial(_usually, functions, column, connection))
    if type(field) is models.DecimalField and (field.max_digits or _EXACT + 1) <= _EXACT:
        return partial(_decimals, f"%.{field.decimal_places}f")
    return partial(_usually, functions, column, connection)


def _usually(
    functions: list[Any], column: Any, connection: Any, values: Sequence[Any]
) -> Sequence[Any]:
    for function in functions:
        values = [function(value, column, connection) for value in values]
    return values


def _moments(usually: Convert) -> Convert:
    read = datetime.fromisoformat

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        try:
            return [None if one is None else read(one).replace(tzinfo=UTC) for one in values]
        except (TypeError, ValueError):  # not written by Django
            return usually(values)

    return convert


def _decimals(form: str, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else Decimal(form % value) for value in values]
