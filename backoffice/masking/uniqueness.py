"""One value, one row, also while the key of the blind indexes is being changed.

A unique index tells two equal values apart once one was digested by the old key and the other by
the new. So while the ring holds two keys, a write of such an index takes a lock for each value
(PostgreSQL: an advisory lock until the end of the transaction; SQLite: the transaction's own), and
looks afterwards for a second row under any digest. With one key nothing of this happens: the
database's own constraint is enough.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.db.models import Q, UniqueConstraint, Value
from django.db.models.sql.compiler import SQLInsertCompiler, SQLUpdateCompiler

from backoffice.masking import indexes
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.guards import cases_of
from backoffice.masking.indexes import BlindIndexField, index_of
from backoffice.masking.values import Sealed, unseal

# More values than this lock the whole index: locks are a bounded resource of the server.
_SINGLE_LOCKS = 100

type Written = dict[BlindIndexField, list[list[str]]]


def install() -> None:
    """Put the guard around what executes an INSERT or UPDATE, once."""
    _guard(SQLInsertCompiler, "execute_sql", _inserted)
    _guard(SQLUpdateCompiler, "execute_sql", _updated)
    _guard(SQLUpdateCompiler, "execute_returning_sql", _updated)


def _guard(owner: Any, name: str, values: Callable[[Any], Iterator[tuple[Any, Any]]]) -> None:
    original = getattr(owner, name)
    if getattr(original, "masking_guard", False):
        return

    @wraps(original)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        written = _written(values(self.query)) if self.query.model else {}
        if not written:
            return original(self, *args, **kwargs)
        with transaction.atomic(self.using):
            lock(self.using, written)
            result = original(self, *args, **kwargs)
            for index, digests in written.items():
                require_single(self.using, index, digests)
            return result

    guarded.masking_guard = True  # type: ignore[attr-defined]
    setattr(owner, name, guarded)


def _inserted(query: Any) -> Iterator[tuple[Any, Any]]:
    for field in query.fields:
        if isinstance(field, MaskedMixin):
            yield from ((field, getattr(row, field.attname)) for row in query.objs)


def _updated(query: Any) -> Iterator[tuple[Any, Any]]:
    for field, _model, value in query.values:
        if isinstance(field, MaskedMixin):
            results = [case.result for case in cases_of(value)] or [value]
            for result in results:
                yield field, result.value if isinstance(result, Value) else result


def _written(pairs: Iterable[tuple[Any, Any]]) -> Written:
    """Return the digests of the values that are to stay single, if more than one key makes them."""
    found: Written = {}
    for field, value in pairs:
        index = index_of(field)
        if index is None or value in {None, ""} or not rules(index) or len(indexes.ring()) == 1:
            continue
        digests = [digest for digest in index.digests_of(value) if digest]
        if len(digests) > 1:
            found.setdefault(index, []).append(digests)
    return found


def rules(index: BlindIndexField) -> list[tuple[tuple[str, ...], Q]]:
    """Return what is to be single: columns that make a value single together, and which rows."""
    named = [
        (tuple(constraint.fields), constraint.condition or Q())
        for constraint in index.model._meta.constraints
        if isinstance(constraint, UniqueConstraint) and index.name in constraint.fields
    ]
    return [((index.name,), Q()), *named] if index.unique else named


def lock(using: str, written: Written) -> None:
    """Let nobody else write these values until the transaction ends."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return  # SQLite lets one transaction write at a time
    with connection.cursor() as cursor:
        for index in sorted(written, key=_name):
            whole, values = _number(_name(index)), written[index]
            if len(values) > _SINGLE_LOCKS:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [whole])
                continue
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [whole])
            # The least digest is the same whatever the order of the keys on this machine.
            for number in sorted({_number(f"{_name(index)} {min(each)}") for each in values}):
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def _name(index: BlindIndexField) -> str:
    return f"{index.model._meta.db_table}.{index.column}"


def _number(text: str) -> int:
    """Return a number of 64 bits for a lock."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


def require_single(using: str, index: BlindIndexField, values: list[list[str]]) -> None:
    """Raise IntegrityError when two rows have one of these values, each as its digests."""
    newest = {digest: each[0] for each in values for digest in each}
    rows: Any = index.model._base_manager.using(using)
    for columns, condition in rules(index):
        for part in _parts(list(newest)):
            found = rows.filter(condition, **{f"{index.name}__in": part})
            _require_once(index, columns, newest, found.values_list(*columns))


def _parts(digests: list[str], size: int = 500) -> Iterator[list[str]]:
    """Yield the digests of whole values in parts; those of one value stay together."""
    size -= size % len(indexes.ring())
    for start in range(0, len(digests), size):
        yield digests[start : start + size]


def _require_once(
    index: BlindIndexField, columns: tuple[str, ...], newest: dict[str, str], rows: Iterable[Any]
) -> None:
    place = columns.index(index.name)
    counts = Counter((*row[:place], newest[_text(row[place])], *row[place + 1 :]) for row in rows)
    if any(count > 1 for key, count in counts.items() if None not in key):
        msg = f"UNIQUE: {index.model._meta.db_table} has this {index.source} already"
        raise IntegrityError(msg)


def _text(digest: Any) -> str:
    return str(unseal(digest) if isinstance(digest, Sealed) else digest)
