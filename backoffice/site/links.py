"""Buttons and menu entries that start an action."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise


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
