"""The three lookups of a masked field: exact and in by blind index, and isnull."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In, IsNull

from backoffice.masking.indexes import AnyField, BlindIndexField, index_of
from backoffice.masking.values import MaskedQueryError, Sealed, Whole

type AnyLookup = type[models.Lookup[Any]]

if TYPE_CHECKING:
    _Exact = Exact[Any]
    _In = In[Any]
else:
    _Exact, _In = Exact, In


def _index(lhs: object) -> tuple[BlindIndexField, Col]:
    if isinstance(lhs, Col):
        index = index_of(lhs.target)
        if index is not None:
            return index, index.get_col(lhs.alias)
    msg = "a masked value is found by its own column and its blind index only"
    raise MaskedQueryError(msg)


def _digests(index: BlindIndexField, value: object) -> list[str | None]:
    """Return the digests by every key of the ring: while one is changed, rows have either."""
    if value is None or value == "":
        return [None if value is None else ""]
    if isinstance(value, Sealed | Whole):
        return index.digests_of(value)
    msg = (
        f"{index.source} is masked: find it by masking.services.search_exact, or in code by "
        "masking.whole(value); plain text is refused, it may come from a query string"
    )
    raise MaskedQueryError(msg)


class MaskedExact(_Exact):
    """Compares digests. Raises MaskedQueryError for plain text or an expression."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        index, column = _index(lhs)
        newest, *older = _digests(index, rhs)
        self.older = older
        super().__init__(column, newest)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """Return the condition; with several keys, that the index is one of the digests."""
        if not self.older:
            return super().as_sql(compiler, connection)
        return In(self.lhs, [self.rhs, *self.older]).as_sql(compiler, connection)


class MaskedIn(_In):
    """Compares digests of many whole values, like `MaskedExact`."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        index, column = _index(lhs)
        if isinstance(rhs, str) or not isinstance(rhs, Iterable) or hasattr(rhs, "query"):
            msg = "a masked field takes a list of whole values"
            raise MaskedQueryError(msg)
        super().__init__(column, [one for value in rhs for one in _digests(index, value)])


def allowed(field: AnyField, name: str) -> AnyLookup:
    """Return the lookup `name` of a masked field; raise MaskedQueryError for any but the three."""
    if name == "isnull":
        return IsNull
    if name in {"exact", "in"}:  # whether it has an index, `_index` asks
        return MaskedExact if name == "exact" else MaskedIn
    msg = f"{field} is masked: it cannot be found by {name}"
    raise MaskedQueryError(msg)
