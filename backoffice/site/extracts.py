"""Which columns of a list a person takes out, and the rows for them, a few at a time.

Columns of the model are read as tuples; only where something is computed (a method of the page, a
column of `page_columns`, a relation in words) rows become objects. Either way a masked field comes
as its mask.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from html import unescape
from itertools import batched
from typing import Any, Final

from django.contrib.admin.utils import lookup_field
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest
from django.utils.html import strip_tags

from backoffice.money import Money
from backoffice.site import columns as columns_of_pages
from backoffice.site import fetching
from backoffice.site.cells import label_of
from backoffice.site.masked import is_masked
from backoffice.site.values import Badge

CHUNK: Final = 500
# Values that a file keeps as what they are; everything else is its text.
_KEPT: Final = (str, int, float, Decimal, date, datetime, time)


@dataclass(frozen=True, slots=True)
class Offer:
    """A column that a person may take out; `usual` without having chosen any."""

    name: str
    label: str
    usual: bool
    masked: bool


def offers(page: Any, request: HttpRequest) -> list[Offer]:
    """Return what may be taken out of a list: its own columns, and those it names for exports.

    Usual is what this person's list shows.
    """
    shown = {column.name: column.shown for column in page.offered_columns(request)}
    names = [*shown, *(name for name in page.export_fields if name not in shown)]
    return [
        Offer(name, label_of(page, name), shown.get(name, False), is_masked(page.model, name))
        for name in names
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants of a list: the kind of file, columns, and how values are written.

    `query` is the list's own, as its address had it; it may hold words that somebody typed.
    """

    page: Any
    kind: str
    names: list[str]
    as_words: bool
    query: str
    told: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    def extract(self, request: HttpRequest, rows: QuerySet[Any]) -> "Extract":
        """Return the rows with these columns."""
        return Extract(self.page, request, rows, self.names, as_words=self.as_words)

    def facts(self) -> dict[str, Any]:
        """Return what of it goes on the record."""
        return {"format": self.kind, "fields": self.names, "filter": self.told}


class Extract:
    """The rows of a list with some of its columns; goes through them anew each time.

    `as_words`: states and relations as people read them, else as they are stored. `queryset`,
    `fields` and `words` tell a writer that asks the database itself what it needs.
    """

    def __init__(
        self,
        page: Any,
        request: HttpRequest,
        queryset: QuerySet[Any],
        names: Sequence[str],
        *,
        as_words: bool = True,
    ) -> None:
        """Take the rows that the list of `request` shows this person."""
        self.page, self.request, self.queryset = page, request, queryset
        self.names, self.as_words = list(names), as_words

    @cached_property
    def heads(self) -> list[str]:
        """The labels of the columns, as the list has them."""
        return [label_of(self.page, name) for name in self.names]

    def heads_for(self, kind: str) -> list[str]:
        """Return the heads of a file: names for machines, labels for people."""
        return self.names if kind == "json" else self.heads

    @cached_property
    def fields(self) -> list[Field[Any, Any] | None]:
        """The fields that hold the columns; None where something is computed."""
        return [
            None if name in self._codes else _field(self.page.model, name, as_words=self.as_words)
            for name in self.names
        ]

    @cached_property
    def _codes(self) -> dict[str, str]:
        """Relation -> its field that stands for it, where values leave as they are stored."""
        return {} if self.as_words else self.page.export_codes

    @cached_property
    def words(self) -> list[dict[Any, str]]:
        """Value -> what a person reads, for columns with choices."""
        wanted = (field if self.as_words else None for field in self.fields)
        return [_choices(field) if field is not None else {} for field in wanted]

    def __iter__(self) -> Iterator[Sequence[Any]]:
        return self._objects() if None in self.fields else self._tuples()

    def _tuples(self) -> Iterator[Sequence[Any]]:
        """Yield rows without an object for each."""
        found = fetching.tuples(self.queryset, self.names, CHUNK)
        worded = [(place, words) for place, words in enumerate(self.words) if words]
        return (_worded(row, worded) for row in found) if worded else found

    def _objects(self) -> Iterator[Sequence[Any]]:
        """Yield rows of objects, with the computed columns of a chunk at once."""
        computed = [name for name in self.names if _is_computed(self.page, name)]
        for chunk in batched(self._fetched().iterator(chunk_size=CHUNK), CHUNK):
            if computed:
                columns_of_pages.fill(self.page.page_columns, computed, self.request, chunk)
            for obj in chunk:
                yield [self._value(obj, name) for name in self.names]

    def _fetched(self) -> QuerySet[Any]:
        """Return the rows with the relations that are columns."""
        related = [name for name in self.names if _is_relation(self.page.model, name)]
        if not related or self.queryset.query.select_related is True:
            return self.queryset
        return self.queryset.select_related(*related)

    def _value(self, obj: Model, name: str) -> Any:
        if name in self._codes:
            other = getattr(obj, name)
            return None if other is None else plain(getattr(other, self._codes[name]))
        try:
            model_field, _attribute, value = lookup_field(name, obj, self.page)
        except ObjectDoesNotExist:
            return None
        if not self.as_words and getattr(model_field, "is_relation", False):
            return getattr(obj, str(getattr(model_field, "attname", name)))
        if self.as_words and getattr(model_field, "choices", None):
            return str(getattr(obj, f"get_{name}_display")())
        return plain(value)


def plain(value: Any) -> Any:
    """Return what a file holds of a value: amounts in major units, badges and markup as text."""
    if value is None or isinstance(value, _KEPT):
        return _text(value) if hasattr(value, "__html__") else value
    if isinstance(value, Money):
        return value.amount
    return value.text if isinstance(value, Badge) else _text(value)


def _text(value: Any) -> str:
    if hasattr(value, "__html__"):
        return unescape(strip_tags(value.__html__()))
    return str(value)


def _worded(row: Sequence[Any], worded: Iterable[tuple[int, dict[Any, str]]]) -> list[Any]:
    made = list(row)
    for place, words in worded:
        made[place] = words.get(made[place], made[place])
    return made


def _field(model: type[Model], name: str, *, as_words: bool) -> Field[Any, Any] | None:
    """Return the field that holds the column; a relation in words is computed."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    held = isinstance(field, Field) and field.concrete and not field.many_to_many
    if not held or (field.is_relation and as_words):
        return None
    return field  # type: ignore[return-value]


def _choices(field: Field[Any, Any]) -> dict[Any, str]:
    return {value: str(label) for value, label in field.flatchoices if value not in {None, ""}}


def _is_relation(model: type[Model], name: str) -> bool:
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return bool(field.is_relation and (field.many_to_one or field.one_to_one) and field.concrete)


def _is_computed(page: Any, name: str) -> bool:
    return any(column.name == name for column in page.page_columns)
