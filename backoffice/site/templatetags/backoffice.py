"""`{% load backoffice %}`: badges, masks, money, dates, icons, rows of record pages.

{% badge "wait" text %} · {% mask value %} · {{ minor|money:"GBP" }} · {% icon "lock" %} ·
{{ moment|moment }} · {{ moment|ago }}
"""

from typing import Any

from django import template
from django.contrib.admin.utils import lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from backoffice.money import Money
from backoffice.site import cells, values

register = template.Library()


@register.simple_tag
def badge(kind: values.BadgeKind, text: str) -> str:
    """Return a badge: `kind` is quiet, done, wait, move, fail, unkn, rest or tag."""
    return values.Badge(kind, text).__html__()


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Return a Material Symbols glyph."""
    return values.icon(name, css)


@register.simple_tag
def mask(value: object) -> str:
    """Return a masked value with its lock, for record pages."""
    return format_html("{}{}", values.icon("lock", "bo-icon--s"), cells.mask_markup(value))


@register.filter
def money(minor: int | Money | None, currency: str = "") -> str:
    """Return minor units as an amount ("£22.71"); an amount of Money as it is; None as a dash."""
    if minor is None:
        return "\N{EN DASH}"
    return str(minor if isinstance(minor, Money) else Money(int(minor), currency))


@register.filter
def moment(value: Any) -> str:
    """Return "9 Dec 2011 14:12" (or "9 Dec 2011" of a date) in the zone in force."""
    return cells.date_text(value) if value else "\N{EN DASH}"


@register.filter
def clock(value: Any) -> str:
    """Return "14:12:38", the time of day with seconds."""
    return timezone.localtime(value).strftime("%H:%M:%S") if value else ""


@register.filter
def ago(value: Any) -> str:
    """Return an age in its biggest unit: "12 s", "38 min", "26 h", "3 d"."""
    if not value:
        return ""
    seconds = max(0, int((timezone.now() - value).total_seconds()))
    for limit, size, unit in ((90, 1, _("s")), (5400, 60, _("min")), (172_800, 3600, _("h"))):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86400} {_('d')}"


@register.filter
def initials(name: object) -> str:
    """Return at most two capitals of a name."""
    from backoffice.site.chrome import initials as of  # noqa: PLC0415 - same word

    return of(str(name))


@register.simple_tag
def inline_table(formset: Any) -> dict[str, Any]:
    """Return heads and rows of a shown-only inline: {"heads": […], "rows": [{"url", "cells"}]}."""
    options = formset.opts
    names = [str(name) for name in options.fields or ()]
    rows = [
        {"url": _url(options, obj), "cells": [_cell(options, obj, name) for name in names]}
        for obj in formset.formset.get_queryset()
    ]
    heads = rows[0]["cells"] if rows else [_head(options, name) for name in names]
    return {"heads": heads, "rows": rows}


def _head(options: Any, name: str) -> cells.Cell:
    return cells.Cell(cells.label_of(options, name), "")


def _cell(options: Any, obj: Any, name: str) -> cells.Cell:
    from backoffice.site.lists import is_numeric  # noqa: PLC0415 - lists needs loaded models

    try:
        found = lookup_field(name, obj, options)
    except ObjectDoesNotExist:
        return cells.Cell(cells.label_of(options, name), "\N{EN DASH}")
    return cells.cell_of(options, obj, name, found, numeric=is_numeric(options, name))


def _url(options: Any, obj: Any) -> str:
    if not options.record_links:
        return ""
    page = options.admin_site._registry.get(type(obj))  # noqa: SLF001 - our own site
    return str(page.record_url(obj)) if page is not None else ""


@register.simple_tag
def record_value(field: Any) -> cells.Cell:
    """Return one value of a record page that is read; `label` is its label."""
    from backoffice.site.lists import is_numeric  # noqa: PLC0415 - lists needs loaded models

    name, obj, page = field.field["field"], field.form.instance, field.model_admin
    try:
        found = lookup_field(name, obj, page)
    except (AttributeError, ValueError, ObjectDoesNotExist):
        return cells.Cell(str(field.field["label"]), "\N{EN DASH}")
    return cells.cell_of(
        page, obj, str(getattr(name, "__name__", name)), found, numeric=is_numeric(page, str(name))
    )


@register.filter
def lookup(table: dict[str, Any], key: str) -> Any:
    """Return `table[key]`, or nothing."""
    return table.get(key) if table else None


@register.simple_tag(takes_context=True)
def page_query(context: dict[str, Any], **changes: Any) -> str:
    """Return the present query string with `changes` (None takes a part out)."""
    query = context["request"].GET.copy()
    for key, value in changes.items():
        query.pop(key, None)
        if value is not None:
            query[key] = value
    return f"?{query.urlencode()}" if query else "?"
