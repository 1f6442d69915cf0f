"""How many of the records of a plain Resource the table holds, by their keys, after the run."""

from collections.abc import Iterator
from itertools import batched
from typing import Any, Final

from backoffice.masking.fields import MaskedMixin
from backoffice.sheets import staging
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.writing import ways
from backoffice.sheets.writing.converting import Bad, sources

_A_QUERY: Final = 500
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
    total = 0
    for part in batched(_wanted(job, form, keys), _A_QUERY):
        if any(None in key for key in part):
            return None
        total += _found(form, [one.attname for one in keys], set(part))
    return total


def _wanted(job: ImportJob, form: ResourceFormat, keys: list[Any]) -> Iterator[Key]:
    """Yield the key of each record as the table's columns have it."""
    readers = {one.name: one for one in sources(form.resource()).values()}
    for part in staging.parts(job, form.dataset):
        columns: list[list[Any]] = []
        for one in keys:
            values = part.columns.get(one.name) or [None] * len(part.statuses)
            known = readers[one.name].resolve(values) if readers[one.name].is_reference else {}
            columns.append([known.get(value, value) for value in values])
        for letter, key in zip(part.statuses, zip(*columns, strict=True), strict=True):
            if letter in _WRITES and not any(isinstance(value, Bad) for value in key):
                yield key


def _found(form: ResourceFormat, names: list[str], wanted: set[Key]) -> int:
    rows = form.resource().get_queryset().filter(**{f"{names[0]}__in": {one[0] for one in wanted}})
    if len(names) == 1:
        return int(rows.order_by().count())
    return len(wanted & set(rows.order_by().values_list(*names)))
