"""What no single field can hold: guards where Django builds a query.

Every manager, history and relation of every model ends in these three methods, so one guard each
covers them all; a QuerySet of ours would not be asked when orders are sorted by a customer's name.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

from django.db.models import Case, Subquery, Value, When
from django.db.models.expressions import Col, F
from django.db.models.functions import Cast
from django.db.models.sql.query import Query
from django.db.models.sql.subqueries import InsertQuery, UpdateQuery

from backoffice.masking.compiling import require_shown_in
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.indexes import AnyField, BlindIndexField, index_of
from backoffice.masking.paths import passes, path_of
from backoffice.masking.values import MaskedQueryError, is_lost

type Triple = tuple[AnyField, Any, Any]
type Method = Callable[..., Any]


def install() -> None:
    """Put the guards in, once."""
    _guard(Query, "add_ordering", _before_ordering)
    _guard(UpdateQuery, "add_update_fields", _before_update)
    _guard(InsertQuery, "insert_values", _before_insert)
    _guard(Query, "add_distinct_fields", _before_distinct)
    _guard(Query, "add_annotation", _before_annotation)


def _guard(owner: type[Query], name: str, before: Callable[..., tuple[Any, ...]]) -> None:
    original: Method = getattr(owner, name)
    if getattr(original, "masking_guard", False):
        return

    @wraps(original)
    def guarded(self: Query, *args: Any, **kwargs: Any) -> Any:
        return original(self, *before(self, *args), **kwargs)

    guarded.masking_guard = True  # type: ignore[attr-defined]
    setattr(owner, name, guarded)


def _before_ordering(query: Query, *ordering: Any) -> tuple[Any, ...]:
    for item in ordering:
        if _reads_masked(query, item) or _names_an_index(query, item):
            msg = "rows cannot be ordered by a masked field"
            raise MaskedQueryError(msg)
    return ordering


def _before_distinct(query: Query, *names: Any) -> tuple[Any, ...]:
    if any(passes(query.model, name, MaskedMixin, BlindIndexField) for name in names):
        msg = "rows cannot be told apart by a masked field"
        raise MaskedQueryError(msg)
    return names


def _names_an_index(query: Query, item: Any) -> bool:
    """Say whether an ordering names a blind index: equal values would stand side by side."""
    expression = getattr(item, "expression", item)
    name = path_of(expression) if isinstance(expression, F) else expression
    return isinstance(name, str) and passes(query.model, name.removeprefix("-"), BlindIndexField)


def _reads_masked(query: Query, item: Any) -> bool:
    """Say whether an ordering or an expression reads a masked column of the query's model."""
    if isinstance(item, str):
        name = item.removeprefix("-")
        annotation = query.annotations.get(name)
        return passes(query.model, name, MaskedMixin) if annotation is None else _holds(annotation)
    if isinstance(item, F):
        return _reads_masked(query, path_of(item))
    parts: Sequence[Any] = getattr(item, "get_source_expressions", list)()
    return _holds(item) or any(_reads_masked(query, part) for part in parts if part is not None)


def _holds(expression: Any) -> bool:
    """Say whether a resolved expression reads a masked column."""
    flatten = getattr(expression, "flatten", None)
    return flatten is not None and any(
        isinstance(part, Col) and isinstance(part.target, MaskedMixin) for part in flatten()
    )


def _before_annotation(query: Query, annotation: Any, alias: str, *rest: Any) -> tuple[Any, ...]:
    _refuse_unmasking(query, annotation)
    return (annotation, alias, *rest)


def _refuse_unmasking(query: Query, expression: Any) -> None:
    """Refuse an expression over a masked column whose result would not be masked itself."""
    if not _reads_masked(query, expression):
        return
    resolved = expression.resolve_expression(query.clone(), allow_joins=True, summarize=False)
    require_shown_in(resolved)


def _before_update(query: UpdateQuery, values: Iterable[Triple]) -> tuple[list[Triple]]:
    """Refuse to copy a hidden value into another column, and bring each index along."""
    triples = [(field, model, _checked(query, field, value)) for field, model, value in values]
    indexes = {
        index: (index, model, _digest(index, value))
        for field, model, value in triples
        if isinstance(field, MaskedMixin)
        and (index := index_of(field)) is not None
        and not is_lost(value)
    }
    kept = [triple for triple in triples if triple[0] not in indexes]
    return ([*kept, *indexes.values()],)


def _checked(query: UpdateQuery, field: AnyField, value: Any) -> Any:
    """Return what may be written to a column; a masked one takes values and no expressions."""
    if not isinstance(field, MaskedMixin):
        if hasattr(value, "resolve_expression"):
            _refuse_reading(query, value)
        return value
    if isinstance(value, Value):
        value = value.value
    if not hasattr(value, "resolve_expression"):
        return field.seal(value)
    if not _results(field, value):
        msg = f"{field} is masked: an UPDATE needs its values, not an expression"
        raise MaskedQueryError(msg)
    return value


def _refuse_reading(query: Query, value: Any) -> None:
    subquery = isinstance(value, Subquery) and isinstance(value.output_field, MaskedMixin)
    if subquery or _reads_masked(query, value):
        msg = "a masked column cannot be read by an UPDATE"
        raise MaskedQueryError(msg)


def cases_of(value: Any) -> Sequence[When]:
    """Return the cases of what `bulk_update` builds: CASE WHEN pk = … THEN value, maybe cast."""
    inner = value.get_source_expressions()[0] if isinstance(value, Cast) else value
    return inner.cases if isinstance(inner, Case) else ()


def _results(field: AnyField, value: Any) -> bool:
    """Say whether all that an expression can give are values bound for `field`."""
    cases = cases_of(value)
    return bool(cases) and all(
        isinstance(case.result, Value)
        and getattr(case.result, "_output_field_or_none", None) is field
        for case in cases
    )


def _digest(index: BlindIndexField, value: Any) -> Any:
    if not hasattr(value, "resolve_expression"):
        return index.digest_of(value)
    whens = [When(case.condition, then=_case_digest(index, case)) for case in cases_of(value)]
    digests = Case(*whens, output_field=index)
    return Cast(digests, output_field=index) if isinstance(value, Cast) else digests


def _case_digest(index: BlindIndexField, case: Any) -> Any:
    """Return the digest of one case; what no key opens leaves its row's digest as it is."""
    value = case.result.value
    return F(index.name) if is_lost(value) else Value(index.digest_of(value))


def _before_insert(
    query: Any, fields: Sequence[AnyField], objs: Any, *rest: Any
) -> tuple[Any, ...]:
    """Let an upsert that changes a masked column change its index too."""
    named = list(query.update_fields)
    extra = [
        index
        for field in named
        if isinstance(field, MaskedMixin) and (index := index_of(field)) is not None
    ]
    query.update_fields = [*named, *(index for index in extra if index not in named)]
    return (fields, objs, *rest)
