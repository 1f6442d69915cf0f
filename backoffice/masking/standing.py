"""Which values of people are known to be theirs: those of today, and those that stood for a while.

A name that somebody typed and took back a moment later is in the history like any other; texts
about other people must not be searched for it.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Final

from backoffice.masking.fields import MaskedMixin
from backoffice.masking.mentions import Value
from backoffice.masking.values import Sealed, is_lost, unseal

LEAST: Final = dt.timedelta(days=1)


def values(rows: Any, columns: Sequence[MaskedMixin]) -> Iterator[Value]:
    """Yield (kind, clear text) of what the rows hold."""
    names = [column.name for column in columns]
    for row in rows.values_list(*names) if names else ():
        for column, value in zip(columns, row, strict=True):
            if clear := _clear(value):
                yield column.kind, clear


def stood(rows: Any, columns: Sequence[MaskedMixin]) -> Iterator[Value]:
    """Yield those values of rows of history that were followed by another after LEAST."""
    key = rows.model.instance_type._meta.pk.attname
    names = [column.name for column in columns]
    ordered = rows.order_by(key, "history_date", "history_id")
    since: dict[str, tuple[Any, str, dt.datetime]] = {}
    for record, at, *row in ordered.values_list(key, "history_date", *names):
        for column, clear in zip(columns, map(_clear, row), strict=True):
            owner, before, begun = since.get(column.name, (record, "", at))
            if owner == record and before == clear:
                since[column.name] = (record, clear, begun)
                continue
            since[column.name] = (record, clear, at)
            if owner == record and before and at - begun >= LEAST:
                yield column.kind, before


def _clear(value: Any) -> str:
    return str(unseal(value)) if isinstance(value, Sealed) and not is_lost(value) else ""
