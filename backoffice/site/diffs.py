"""Two versions of a record, field by field, in words; masked fields as masks on both sides."""

from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst

from backoffice.masking.fields import MaskedMixin
from backoffice.site.cells import markup, mask_markup

_EMPTY = "\N{EN DASH}"

type Names = dict[tuple[str, Any], str]


@dataclass(slots=True)
class FieldChange:
    """A field with its old and new value as markup."""

    label: str
    old: str
    new: str
    masked: bool


def changes(new: Any, old: Any, fields: list[Any], names: Names | None = None) -> list[FieldChange]:
    """Return the fields whose values differ.

    Two sealed values differ also when only what the mask hides differs.
    """
    if names is None:
        names = related_names([new, old], fields)
    return [
        FieldChange(
            label=capfirst(str(field.verbose_name)),
            old=_shown(old, field, names),
            new=_shown(new, field, names),
            masked=isinstance(field, MaskedMixin),
        )
        for field in fields
        if getattr(new, field.attname) != getattr(old, field.attname)
    ]


def _shown(row: Any, field: Any, names: Names) -> str:
    value = getattr(row, field.attname)
    if isinstance(field, MaskedMixin):
        return mask_markup(value) or _EMPTY
    if field.is_relation:
        return names.get((field.name, value), _EMPTY if value is None else str(value))
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    return markup(value, field, None, _EMPTY)


def related_names(rows: list[Any], fields: list[Any]) -> Names:
    """Return the words for related rows; one query for each relation that changed at all."""
    names: Names = {}
    for field in fields:
        ids = {getattr(row, field.attname) for row in rows} if field.is_relation else set()
        if len(ids) > 1:
            found = field.related_model._default_manager.in_bulk([key for key in ids if key])
            names.update({(field.name, key): str(row) for key, row in found.items()})
    return names
