"""How many of the records of a plain Resource the table holds, by their keys, after the run."""

import json
from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any, Final

from django.db import connections, router

from backoffice.masking.fields import MaskedMixin
from backoffice.sheets import staging
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.writing import ways
from backoffice.sheets.writing.converting import Bad, sources

_A_QUERY: Final = 500
_AT_ONCE: Final = 10_000
_WRITES: Final = frozenset({Status.NEW, Status.CHANGED, Status.UNCHANGED, Status.BRINGS})
type Key = tuple[Any, ...]


def count(job: ImportJob, form: ResourceFormat) -> int | None:
    """Return how many records that were to come in are there.

    None where keys do not tell: the Resource's methods may write something else, the table makes
    the key, or it is masked.
    """
    keys = ways.keys_of(form.resource)
    if form.verdict.way == ways.Way.ROWS or any(isinstance(one, MaskedMixin) for one in keys):
        return None
    total, quick = 0, form.verdict.way == ways.Way.FAST and len(keys) == 1
    for part in batched(_wanted(job, form, keys), _AT_ONCE if quick else _A_QUERY):
        if any(None in key for key in part):
            return None
        found = _counted(keys[0], [key for (key,) in part]) if quick else None
        total += _found(form, [one.attname for one in keys], part) if found is None else found
    return total


def _counted(field: Any, values: list[Any]) -> int | None:
    """Return how many rows have one of the keys, by one list; None where no list can bring them.

    Where the database writes, it looks into the whole table, whatever a manager leaves out.
    """
    if set(map(type, values)) not in ({int}, {str}):
        return None
    connection: Any = connections[router.db_for_read(field.model)]
    table, column = map(connection.ops.quote_name, (field.model._meta.db_table, field.column))
    is_postgres = connection.vendor == "postgresql"
    keys = "= ANY(%s)" if is_postgres else "IN (SELECT value FROM json_each(%s))"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {table} WHERE {column} {keys}",  # noqa: S608 - names of the model
            [values if is_postgres else json.dumps(values)],
        )
        return int(cursor.fetchone()[0])


def _wanted(job: ImportJob, form: ResourceFormat, keys: list[Any]) -> Iterator[Key]:
    """Yield the key of each record as the table's columns have it."""
    readers = {one.name: one for one in sources(form.resource()).values()}
    for part in staging.parts(job, form.dataset, only=[one.name for one in keys]):
        columns: list[list[Any]] = []
        for one in keys:
            values = part.columns.get(one.name) or [None] * len(part.statuses)
            known = readers[one.name].resolve(values) if readers[one.name].is_reference else {}
            columns.append([known.get(value, value) for value in values])
        for letter, key in zip(part.statuses, zip(*columns, strict=True), strict=True):
            if letter in _WRITES and not any(isinstance(value, Bad) for value in key):
                yield key


def _found(form: ResourceFormat, names: list[str], part: Sequence[Key]) -> int:
    if len(part) > _A_QUERY:
        return sum(_found(form, names, some) for some in batched(part, _A_QUERY))
    wanted = set(part)
    rows = form.resource().get_queryset().filter(**{f"{names[0]}__in": {one[0] for one in wanted}})
    if len(names) == 1:
        return int(rows.order_by().count())
    return len(wanted & set(rows.order_by().values_list(*names)))
