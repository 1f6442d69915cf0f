"""Buttons and menu entries that start an action."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise

from backoffice.policy import may
from backoffice.policy.services import RIGHT


@dataclass(slots=True)
class ActionLink:
    """A button or menu entry of one record."""

    label: str | Promise
    url: str
    icon: str
    harmful: bool
    primary: bool
    quick: bool = False


def buttons(links: list[ActionLink]) -> dict[str, Any]:
    """Share actions out: one filled button, two quiet ones, the rest under More."""
    primary = next((link for link in links if link.primary), None)
    quiet = [link for link in links if link is not primary]
    shown = [link for link in quiet if not link.harmful][:2] or quiet[:1]
    more = [link for link in quiet if link not in shown]
    return {"primary_action": primary, "shown_actions": shown, "more_actions": more}


def why_url(request: HttpRequest, obj: Model, number_field: str) -> str:
    """Return the address that asks why somebody can see a record; "" without the right.

    The record is named by its public number, where it has one, else by its id.
    """
    if not may(request.user, RIGHT, None):
        return ""
    number = getattr(obj, number_field) if number_field else obj.pk
    asked = {"kind": obj._meta.label_lower, "record": number}
    return f"{reverse('admin:why')}?{urlencode(asked)}"
