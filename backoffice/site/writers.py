"""Files of an export. What writes them is registered, since `backoffice.sheets` may be left out."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase
from django.utils.text import capfirst

from backoffice.money import Money
from backoffice.site.cells import date_text

# writer(file name without ending, heads, rows) -> answer
Writer = Callable[[str, list[str], Iterable[list[Any]]], HttpResponseBase]

_writers: dict[str, Writer] = {}


def register(kind: str, writer: Writer) -> None:
    """Offer `kind` ("csv", "xlsx") in the exports of every list."""
    _writers[kind] = writer


def kinds() -> list[str]:
    """Return the kinds on offer, in the order of their registration."""
    return list(_writers)


def file(kind: str, name: str, heads: list[str], rows: Iterable[list[Any]]) -> HttpResponseBase:
    """Return a file of `kind` with these heads and rows."""
    return _writers[kind](name, heads, rows)


def response(page: Any, rows: QuerySet[Any], kind: str) -> HttpResponseBase:
    """Return the file of `rows` with the page's `export_fields`; masked values as masks."""
    names = list(page.export_fields)
    heads = [capfirst(str(label_for_field(name, page.model, page))) for name in names]
    return _writers[kind](str(page.opts.model_name), heads, _lines(page, names, rows))


def _lines(page: Any, names: list[str], rows: QuerySet[Any]) -> Iterator[list[Any]]:
    for obj in rows.iterator(chunk_size=500):
        yield [_plain(page, obj, name) for name in names]


def _plain(page: Any, obj: Model, name: str) -> Any:
    """Return a value as a file holds it: text of the mask, amounts in major units, state words."""
    try:
        field, _attr, value = lookup_field(name, obj, page)
    except ObjectDoesNotExist:
        return ""
    if value is None:
        return ""
    if isinstance(value, Money):
        return value.amount
    if getattr(field, "choices", None):
        return str(getattr(obj, f"get_{name}_display")())
    if hasattr(value, "strftime"):
        return date_text(value)
    return value if isinstance(value, int | float) else str(value)
