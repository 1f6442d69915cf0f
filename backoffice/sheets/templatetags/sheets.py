"""`{% load sheets %}`: numbers of check sums."""

from collections.abc import Sequence
from typing import Any

from django import template

from backoffice.money import Money

register = template.Library()


@register.filter
def amount(value: int | None, currency: str = "") -> str:
    """Return a check sum's number: an amount where there is a currency, else a count."""
    if value is None:
        return "\N{EN DASH}"
    return str(Money(value, currency)) if currency else f"{value:,}"


@register.filter
def item(things: Sequence[Any], place: int) -> Any:
    """Return what stands at a place of a list."""
    return things[place]
