"""How the values of a joined page are written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format, number_format

from backoffice.money import Money
from backoffice.sources.columns import Shown

register = template.Library()
NONE = "\N{EN DASH}"


@register.simple_tag
def shown(value: Shown) -> str:
    """Write a value: sums side by side, times in the reader's zone, a dash for "there is none"."""
    match value:
        case None:
            return NONE
        case datetime():
            return date_format(timezone.localtime(value), "j M Y")
        case Money():
            return str(value)
        case tuple():
            return " · ".join(map(str, value))
        case int():
            return number_format(value, force_grouping=True)
        case _:
            return value


@register.filter
def at(items: Sequence[Any], place: int) -> Any:
    """Return the item at a place."""
    return items[place]
