"""The last guard: what a query's SQL may do with a masked column, held where SQL is made.

Every expression of every query is compiled by `SQLCompiler.compile`, whichever method brought it
there. A masked column may come out of a query as it is, or chosen by CASE and COALESCE, since its
value is sealed then; it may be asked for presence (IS NULL) and counted. Everything else would tell
something of the hidden value: comparing, ordering, computing, the greatest, the next, the equal.
SQL written by hand that names a masked column is refused as a whole: nobody can say what it does.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, wraps
from typing import Any

from django.apps import apps
from django.db.models import Case, Count, Model, Subquery, When
from django.db.models.expressions import Col, ExpressionWrapper, RawSQL, Ref
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull
from django.db.models.query import RawQuerySet
from django.db.models.sql.compiler import SQLCompiler, SQLUpdateCompiler
from django.db.models.sql.query import Query
from django.db.models.sql.where import ExtraWhere

from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.masking.values import MaskedQueryError

# What hands one of its parts on as it is.
_CHOOSING = (Case, When, Coalesce, ExpressionWrapper)


def install() -> None:
    """Put the guards in, once."""
    if getattr(SQLCompiler.compile, "masking_guard", False):
        return
    _wrap(SQLCompiler, "compile", _compiled)
    _wrap(SQLCompiler, "_get_combinator_part_sql", _combined)
    _wrap(RawQuerySet, "iterator", _raw)


def _wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def guarded(self: Any, *args: Any) -> Any:
        return around(original, self, *args)

    guarded.masking_guard = True  # type: ignore[attr-defined]
    setattr(owner, name, guarded)


def _compiled(original: Any, compiler: Any, node: Any) -> Any:
    path = compiler.__dict__.setdefault("masking_path", [])
    if hidden(node) is not None:
        require_shown(node, path)
        if not path and isinstance(compiler, SQLUpdateCompiler):
            _refuse("a masked column cannot be read by an UPDATE")
    elif isinstance(node, RawSQL | ExtraWhere):
        _require_unnamed(node, compiler.query)
    path.append(node)
    try:
        return original(compiler, node)
    finally:
        path.pop()


def hidden(node: Any) -> MaskedMixin | None:
    """Return the masked field whose values a node of a query stands for, if it does."""
    field: object = None
    if isinstance(node, Col):
        field = node.target
    elif isinstance(node, Ref):
        return hidden(node.get_source_expressions()[0])
    elif isinstance(node, Subquery):
        field = _out(node)
    elif isinstance(node, Query):
        field = _column_of(node)
    return field if isinstance(field, MaskedMixin) else None


def _out(node: Any) -> object:
    """Return the field that a node's values are read by; None where it cannot say."""
    return getattr(node, "_output_field_or_none", None)


def _column_of(query: Query) -> object:
    """Return the field of a query of one column, as it stands on the right of IN."""
    shown = [*query.select, *query.annotation_select.values()]
    return _out(shown[0]) if len(shown) == 1 else None


def require_shown(node: Any, path: Sequence[Any]) -> None:
    """Raise MaskedQueryError unless `node`, below the nodes of `path`, comes out sealed or counted.

    What comes out has to be sealed by the node's own rule: the mask of another kind of value would
    show other characters of it.
    """
    for parent in reversed(path):
        if isinstance(parent, IsNull) or (
            isinstance(parent, Count) and not getattr(parent, "distinct", False)
        ):
            return
        if not isinstance(parent, _CHOOSING):
            _refuse("a masked column is shown as it is; nothing is computed or found by it")
    field = hidden(node)
    out = _out(path[0]) if path else field
    if field is None or not isinstance(out, MaskedMixin) or not _same(field, out):
        _refuse("a masked column comes out of a query under its own mask only")


def _same(one: MaskedMixin, other: MaskedMixin) -> bool:
    bound = (one.encrypted, other.encrypted) == (False, False) or (
        one.encrypted == other.encrypted and one.binding == other.binding
    )
    return one.mask == other.mask and bound


def require_shown_in(expression: Any, path: Sequence[Any] = ()) -> None:
    """Raise MaskedQueryError if any part of a resolved expression would tell a hidden value."""
    if hidden(expression) is not None:
        require_shown(expression, path)
    elif not isinstance(expression, Query):
        for part in getattr(expression, "get_source_expressions", list)():
            if part is not None:
                require_shown_in(part, [*path, expression])


def _combined(original: Any, compiler: Any, part: Any) -> Any:
    """Let a UNION bring masked values into columns of the same mask only."""
    sql = original(compiler, part)
    outs = [_out(column) for column, _sql, _alias in part.select]
    tops = [column for column, _sql, _alias in compiler.select or ()]
    for place, out in enumerate(outs):
        if not isinstance(out, MaskedMixin):
            continue
        top = _out(tops[place]) if place < len(tops) else None
        if not isinstance(top, MaskedMixin) or not _same(out, top):
            _refuse("a masked column is combined with a column of the same mask only")
        if compiler.query.combinator != "union" and not _has_key(part.select):
            _refuse("masked columns cannot be compared by a combination of queries")
    return sql


def _has_key(select: Iterable[Any]) -> bool:
    return any(getattr(getattr(one[0], "target", None), "primary_key", False) for one in select)


def _raw(original: Any, rows: Any) -> Any:
    tables = {rows.model._meta.db_table}
    if _names_masked(str(rows.raw_query), tables):
        _refuse("raw() names a masked column: select every column by *, and find rows otherwise")
    return original(rows)


def _require_unnamed(node: Any, query: Any) -> None:
    text = " ".join(node.sqls) if isinstance(node, ExtraWhere) else node.sql
    tables = {getattr(join, "table_name", "") for join in query.alias_map.values()}
    if query.model is not None:
        tables.add(query.model._meta.db_table)
    if _names_masked(text, tables):
        _refuse("SQL written by hand names a masked column")


def _names_masked(text: str, tables: set[str]) -> bool:
    """Say whether SQL names a masked column of one of the tables, or of a table it names."""
    words = {word.lower() for word in re.findall(r"\w+", text)}
    return any(
        not words.isdisjoint(columns)
        for table, columns in masked_columns().items()
        if table in tables or table.lower() in words
    )


@cache
def masked_columns() -> dict[str, frozenset[str]]:
    """Return the masked columns of each table, in small letters."""
    return {model._meta.db_table: found for model in _all() if (found := _of(model))}


def _all() -> Iterable[type[Model]]:
    # Also those of no installed app (tests have such): the registry knows them.
    return [model for models in apps.all_models.values() for model in models.values()]


def _of(model: type[Model]) -> frozenset[str]:
    return frozenset(str(one.column).lower() for one in masked_fields(model))


def _refuse(why: str) -> None:
    raise MaskedQueryError(why)
