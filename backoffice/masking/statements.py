"""SQL that somebody wrote by hand, read for the names in it: nobody can say what else it does.

It may name the open columns of any table. A masked column, a blind index, and a table that has such
columns as a value (`row_to_json(customer)`, `customer::text`) or as a source are refused; raw() may
bring rows of its own model as they are, since those are sealed.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from django.apps import apps
from django.db.models import Model

from backoffice.masking.fields import MaskedMixin
from backoffice.masking.indexes import BlindIndexField

# What may stand for any name: PostgreSQL's U&"n\0061me", and functions that read all tables.
_ANY_NAME: Final = re.compile(
    r"\bu&\s*[\"']|\b(?:query|cursor|schema|database)_to_xml", re.IGNORECASE
)
_QUOTES: Final = str.maketrans(dict.fromkeys('"`[]', " "))
_WORD: Final = re.compile(r"\w+")
_COLUMN: Final = re.compile(r"(\w+)\s*\.\s*(\w+)")
# Parts of a SELECT that bring columns as they are.
_TOP: Final = re.compile(r"\s*select\s(?P<items>[\w\s.,*]+?)\sfrom\s(?P<rest>.*)", re.DOTALL)
_ITEM: Final = re.compile(r"(?:(\w+)\s*\.\s*)?(\*|\w+)")
_NO_ALIAS: Final = (
    "where|join|inner|left|right|full|cross|on|using|order|group|having|limit|offset|fetch|for|"
    "window|tablesample|indexed|not"
)
_DECLARED: Final = re.compile(
    rf"\b(?:from|join)\s+(\w+)\b(?:\s+(?:as\s+)?(?!(?:{_NO_ALIAS})\b)(\w+))?"
)
_COMPARING: Final = re.compile(r"\b(?:union|intersect|except|natural|with)\b")
_SORTED: Final = re.compile(r"\b(?:order|group)\s+by\b(.*)", re.DOTALL)
_COMMENT: Final = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_POSITION: Final = re.compile(r"[\s(+-]*\d")

type Scope = Mapping[str, str]


@cache
def masked_columns() -> dict[str, frozenset[str]]:
    """Return the masked columns of each table that has some, with its indexes, in small letters."""
    return {model._meta.db_table.lower(): found for model in _all() if (found := hidden_in(model))}


@cache
def _open_columns() -> dict[str, frozenset[str]]:
    masked = masked_columns()
    columns: dict[str, frozenset[str]] = {}
    for model in _all():
        table = model._meta.db_table.lower()
        if table in masked:
            own = {str(one.column).lower() for one in model._meta.local_concrete_fields}
            columns[table] = columns.get(table, frozenset()) | (own - masked[table])
    return columns


def _all() -> Iterable[type[Model]]:
    # Also those of no installed app (tests have such): the registry knows them.
    return [model for models in apps.all_models.values() for model in models.values()]


def hidden_in(model: type[Model]) -> frozenset[str]:
    """Return the columns of a model that hand-written SQL must not name, in small letters."""
    return frozenset(
        str(one.column).lower()
        for one in model._meta.concrete_fields
        if isinstance(one, MaskedMixin | BlindIndexField)
    )


def words_of(text: str) -> set[str]:
    """Return the words of SQL, in small letters."""
    return set(_WORD.findall(text.lower()))


def tells(text: str, scope: Scope) -> bool:
    """Say whether SQL names a masked column, or a table that has some other than for an open one.

    `scope` says which table each name of the query around it stands for.
    """
    if _ANY_NAME.search(text):
        return True
    masked = masked_columns()
    known = {name.lower(): table.lower() for name, table in scope.items()}
    known = {name: table for name, table in known.items() if table in masked}
    tables = {**dict.fromkeys(masked), **known}
    used = set(known.values())

    def open_column(found: re.Match[str]) -> str:
        table = known.get(found[1], found[1])
        if found[2] not in _open_columns().get(table, ()):
            return found[0]
        used.add(table)
        return " "

    left = words_of(_COLUMN.sub(open_column, text.lower().translate(_QUOTES)))
    return not left.isdisjoint(tables) or any(not left.isdisjoint(masked[one]) for one in used)


def sorts_by_place(text: str) -> bool:
    """Say whether SQL to order by begins with a number: the place of a column."""
    return _POSITION.match(_COMMENT.sub(" ", text)) is not None


def is_whole_rows(rows: Any) -> bool:
    """Say whether a `raw()` brings whole rows of its model, or open columns, and asks by no other.

    Rows of its own model come out sealed, column by column, by their names.
    """
    own = rows.model._meta.db_table.lower()
    text = str(rows.raw_query)
    if not tells(text, {own: own}):
        return True
    top = _TOP.match(text.lower().translate(_QUOTES))
    if _ANY_NAME.search(text) or top is None or rows.translations or _compares(top["rest"]):
        return False
    head, nested, inside = f"from {top['rest']}".partition("select")
    found = list(_DECLARED.finditer(head))
    scope = {one[2] or one[1]: one[1] for one in found}
    renamed = any(head[one.end() :].lstrip().startswith("(") for one in found)
    items = [_ITEM.fullmatch(item.strip()) for item in top["items"].split(",")]
    tables = [one[1] for one in found]
    shown = [item for item in items if item and not _is_own(item, own, scope, tables)]
    if renamed or None in items or any(item[2] == "*" for item in shown):
        return False
    rest = _DECLARED.sub(" ", head) + nested + inside
    return not tells(" , ".join([*(item[0] for item in shown), rest]), scope)


def _compares(rest: str) -> bool:
    """Say whether a SELECT compares whole rows, or sorts by the place of a column."""
    parts = [part for found in _SORTED.findall(rest) for part in found.split(",")]
    return _COMPARING.search(rest) is not None or any(map(sorts_by_place, parts))


def _is_own(item: re.Match[str], own: str, scope: Scope, tables: list[str]) -> bool:
    """Say whether an item is the star of the model's own table."""
    if item[2] != "*":
        return False
    if item[1]:
        return scope.get(item[1]) == own
    masked = masked_columns()
    return tables[:1] == [own] and not any(table in masked for table in tables[1:])
