"""The last guard: what a query's SQL may do with a masked column, held where SQL is made.

Every expression of every query is compiled by `SQLCompiler.compile`, whichever method brought it
there. A masked column may come out of a query as it is, or chosen by CASE and COALESCE, since its
value is sealed then; it may be asked for presence (IS NULL) and counted. Everything else would tell
something of the hidden value: comparing, ordering, computing, the greatest, the next, the equal.
A blind index is held alike, but that a whole digest finds it (Exact, In).
SQL written by hand that names a masked column is refused as a whole: nobody can say what it does.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

from django.db.models import Case, Count, Func, OrderBy, Subquery, Value, When
from django.db.models.expressions import Col, ExpressionWrapper, RawSQL, Ref
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import Exact, In, IsNull
from django.db.models.query import RawQuerySet
from django.db.models.sql.compiler import SQLCompiler, SQLUpdateCompiler
from django.db.models.sql.query import Query
from django.db.models.sql.where import ExtraWhere

from backoffice.masking import statements
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.indexes import BlindIndexField
from backoffice.masking.values import MaskedQueryError

# What hands one of its parts on as it is.
_CHOOSING = (Case, When, Coalesce, ExpressionWrapper)
_HIDDEN = (MaskedMixin, BlindIndexField)

type Hidden = MaskedMixin | BlindIndexField


def install() -> None:
    """Put the guards in, once."""
    if getattr(SQLCompiler.compile, "masking_guard", False):
        return
    _wrap(SQLCompiler, "compile", _compiled)
    _wrap(SQLCompiler, "_get_combinator_part_sql", _combined)
    _wrap(SQLCompiler, "get_converters", _converters)
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
    elif text := _written(node):
        _require_unnamed(text, compiler.query)
        if path and isinstance(path[-1], OrderBy) and statements.sorts_by_place(text):
            _require_unsorted(compiler)
    path.append(node)
    try:
        return original(compiler, node)
    finally:
        path.pop()


def _converters(original: Any, compiler: Any, expressions: Any) -> Any:
    """Leave out the seal of indexes where rows become objects: there their attribute seals them.

    Sealing each would make loading a third dearer, for values that nobody reads.
    """
    found = original(compiler, expressions)
    for place in _loaded(compiler.klass_info or {}) if _makes_objects(compiler) else ():
        if place in found and isinstance(getattr(found[place][1], "target", None), BlindIndexField):
            del found[place]
    return found


def _makes_objects(compiler: Any) -> bool:
    """Say whether a query has no columns of its own choice, as `values` makes it."""
    return bool(getattr(compiler.query, "default_cols", False))


def _loaded(info: Mapping[str, Any]) -> Iterator[int]:
    """Yield the places of the columns that become objects, those of related ones too."""
    yield from info.get("select_fields", ())
    for related in info.get("related_klass_infos", ()):
        yield from _loaded(related)


def hidden(node: Any) -> Hidden | None:
    """Return the masked field or index whose values a node of a query stands for, if it does."""
    field: object = None
    if isinstance(node, Col):
        field = node.target
    elif isinstance(node, Ref):
        return hidden(node.get_source_expressions()[0])
    elif isinstance(node, Subquery):
        field = _out(node)
    elif isinstance(node, Query):
        field = _column_of(node)
    return field if isinstance(field, _HIDDEN) else None


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
    field = hidden(node)
    for parent in reversed(path):
        if _asks_little(parent, field):
            return
        if not isinstance(parent, _CHOOSING) and not _is_cast_index(parent):
            _refuse("a masked column is shown as it is; nothing is computed or found by it")
    out = _out(path[0]) if path else field
    if field is None or not _same(field, out):
        _refuse("a masked column comes out of a query under its own mask only")


def _asks_little(parent: Any, field: Hidden | None) -> bool:
    """Say whether a node asks for presence, for a count, or for rows by a whole digest."""
    if isinstance(parent, Exact | In) and isinstance(field, BlindIndexField):
        values = parent.rhs if isinstance(parent.rhs, list | tuple | set) else [parent.rhs]
        return all(map(_is_value, values))
    counts = isinstance(parent, Count) and not getattr(parent, "distinct", False)
    return isinstance(parent, IsNull) or counts


def _is_value(value: Any) -> bool:
    return isinstance(value, Value) or not hasattr(value, "resolve_expression")


def _is_cast_index(node: Any) -> bool:
    """Say whether a node is what `bulk_update` writes an index by."""
    return isinstance(node, Cast) and isinstance(_out(node), BlindIndexField)


def _same(one: Hidden, other: object) -> bool:
    """Say whether values of one field may come out as those of the other, under its mask."""
    if not isinstance(one, MaskedMixin) or not isinstance(other, MaskedMixin):
        return isinstance(one, BlindIndexField) and isinstance(other, BlindIndexField)
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
        if not isinstance(out, _HIDDEN):
            continue
        top = _out(tops[place]) if place < len(tops) else None
        if not _same(out, top):
            _refuse("a masked column is combined with a column of the same mask only")
        if compiler.query.combinator != "union" and not _has_key(part.select):
            _refuse("masked columns cannot be compared by a combination of queries")
    return sql


def _has_key(select: Iterable[Any]) -> bool:
    return any(getattr(getattr(one[0], "target", None), "primary_key", False) for one in select)


def _raw(original: Any, rows: Any) -> Any:
    if not statements.is_whole_rows(rows):
        _refuse("raw() reads masked columns: select every column by *, and find rows otherwise")
    return original(rows)


def _require_unnamed(text: str, query: Any) -> None:
    scope = {alias: getattr(join, "table_name", "") for alias, join in query.alias_map.items()}
    if query.model is not None:
        table = query.model._meta.db_table
        scope[table] = table
    if statements.tells(text, scope):
        _refuse("SQL written by hand names a masked column, or a table that has some")


def _written(node: Any) -> str:
    """Return what was written by hand in a node of a query, "" where nothing was."""
    if isinstance(node, RawSQL):
        return str(node.sql)
    if isinstance(node, ExtraWhere):
        return " ".join(node.sqls)
    if isinstance(node, Func) and node.extra:
        # The name of a function alone reads nothing; in a template of one's own it may stand alone.
        own = node.extra if "template" in node.extra else {**node.extra, "function": ""}
        return " ".join(str(own.get(name, "")) for name in ("function", "template", "arg_joiner"))
    return ""


def _require_unsorted(compiler: Any) -> None:
    """Refuse to order by the place of a column where one that comes out is masked."""
    if any(hidden(column) for column, _sql, _alias in compiler.select or ()):
        _refuse("rows that show masked columns are not ordered by the place of a column")


def _refuse(why: str) -> None:
    raise MaskedQueryError(why)
