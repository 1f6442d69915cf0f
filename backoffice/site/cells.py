"""One value of a list or record, as a page shows it."""

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import display_for_field, display_for_value, label_for_field
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import capfirst

from backoffice.money import Money
from backoffice.site.masked import is_masked
from backoffice.site.values import Badge, choice_badge


@dataclass(slots=True)
class Cell:
    """A value as markup. `label` stands before it on a phone; `masked` says that it hides one."""

    label: str
    html: str
    numeric: bool = False
    masked: bool = False
    linked: bool = False
    badge: bool = False


def mask_markup(value: object) -> str:
    """Return a mask with its raised dots, read out as "masked" by screen readers."""
    text = "" if value is None else str(value)
    if not text:
        return ""
    return format_html('<span class="bo-mask">{}</span>', text)


def date_text(value: Any) -> str:
    """Return "9 Dec 2011" or "9 Dec 2011 14:12" in the zone in force."""
    if hasattr(value, "hour"):
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        return date_format(local, "j M Y H:i")
    return date_format(value, "j M Y")


def cell_of(
    page: Any,
    obj: models.Model,
    name: str,
    found: tuple[Any, Any, Any],
    *,
    linked: bool = False,
    numeric: bool = False,
) -> Cell:
    """Return the cell of `name`; `found` is what `lookup_field` returned."""
    model_field, attr, value = found
    cell = Cell(label_of(page, name), "", numeric=numeric, linked=linked)
    cell.masked = is_masked(page.model, name)
    empty = getattr(attr, "empty_value_display", page.admin_site.empty_value_display)
    if cell.masked:
        hidden = mask_markup(value)
        cell.html, cell.masked = hidden or empty, bool(hidden)
    elif name in page.badges:
        cell.html, cell.badge = choice_badge(obj, name, page.badges[name]).__html__(), True
    else:
        cell.html = markup(value, model_field, attr, empty)
        cell.badge = isinstance(value, Badge)
        cell.numeric = numeric or isinstance(value, Money)
    return cell


def markup(value: Any, model_field: Any, attr: Any, empty: str) -> str:
    """Return any value as markup: money, badges, dates, relations, plain text."""
    if value is None or value == "":
        return empty
    if isinstance(value, Badge):
        return value.__html__()
    if isinstance(value, Money) or hasattr(value, "strftime"):
        text = str(value) if isinstance(value, Money) else date_text(value)
        return format_html('<span class="bo-num">{}</span>', text)
    if model_field is not None:
        related = getattr(model_field, "is_relation", False)
        shown = value if related else display_for_field(value, model_field, empty)
        return format_html("{}", shown)
    return format_html("{}", display_for_value(value, empty, bool(getattr(attr, "boolean", False))))


def label_of(page: Any, name: str) -> str:
    """Return the head of a column or the label of a value."""
    return capfirst(str(label_for_field(name, page.model, page)))
