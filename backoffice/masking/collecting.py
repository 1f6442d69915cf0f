"""All that is stored of people, as plain rows: what they may ask for (GDPR, Articles 15 and 20).

Left out is what is not theirs: who of the staff wrote it, secrets, blind indexes, the addresses of
staff. Files are named and not opened.
"""

import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.masking import purposes, subjects
from backoffice.masking.erasing import page, plain
from backoffice.masking.indexes import BlindIndexField
from backoffice.masking.subjects import Group, Place
from backoffice.masking.values import Sealed, opened

_log = logging.getLogger(__name__)
EXPORT: Final = purposes.register("masking.person_export", _("Give a person all that is stored"))
_PAGE: Final = 2000
_PLAIN = (str, int, bool, float, type(None), list, dict)


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one place: plain JSON with clear values, so the repr leaves them out."""

    name: str
    label: str
    rows: "list[dict[str, Any]]"

    def __repr__(self) -> str:
        return f"<Part {self.name}: {len(self.rows)} rows>"


def collect(group: Group) -> Iterator[Part]:
    """Yield what each place holds of the people; a place that holds nothing is left out.

    The caller puts on the record, before, that it does so.
    """
    _log.info("personal values used: %s", EXPORT)
    for place in subjects.places():
        rows = list(_rows(place, group))
        if rows:
            yield Part(place.name, str(place.label), rows)


def _rows(place: Place, group: Group) -> Iterator[dict[str, Any]]:
    if place.export is not None:
        yield from ({name: _plain(value) for name, value in row.items()}
                    for row in place.export(group))  # fmt: skip
        return
    if not place.model:
        return
    own = set()
    for row in _own(place, group):
        own.add(row["id"])
        yield row
    if place.everywhere:
        yield from (row for row in _mentioning(place, group) if row["id"] not in own)


def _own(place: Place, group: Group) -> Iterator[dict[str, Any]]:
    """Yield the rows that belong to the people, with every column that is theirs."""
    if place.rows is None:
        return
    columns = [column.attname for column in place.table()._meta.concrete_fields
               if _is_theirs(place, column)]  # fmt: skip
    for row in place.rows(group).order_by("pk").values_list("pk", *columns):
        yield _named(columns, row)


def _mentioning(place: Place, group: Group) -> Iterator[dict[str, Any]]:
    """Yield the texts of other rows that name the people."""
    columns = [name for name in place.columns() if name not in place.private]
    key, mentions = None, group.elsewhere
    while found := page(place.table()._default_manager.all(), key, _PAGE, columns):
        key = found[-1][0]
        for row in found:
            named = {name: value for name, value in zip(columns, row[1:], strict=True)
                     if value and not isinstance(value, Sealed)
                     and mentions.cleaned(value) != value}  # fmt: skip
            if named:
                yield {"id": plain(key if row[0] is key else row[0]), **_values(named)}


def _is_theirs(place: Place, column: "models.Field[Any, Any]") -> bool:
    if column.primary_key or column.name in place.private or isinstance(column, BlindIndexField):
        return False
    return not (column.is_relation and column.related_model is get_user_model())


def _named(columns: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return {"id": plain(row[0]), **_values(dict(zip(columns, row[1:], strict=True)))}


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """Return the value as JSON holds it, clear."""
    value = opened(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value if isinstance(value, _PLAIN) and not isinstance(value, Decimal) else str(value)
