"""Cards that an app puts on a record page, its own or another app's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db.models import Model
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.safestring import SafeString

from backoffice.policy import may


@dataclass(frozen=True, slots=True)
class Panel:
    """A card: `context(request, obj)` feeds `template`; None instead of a dict hides the card.

    The template gets `object`, `panel` and what `context` returned, and writes the inside of the
    card (use `bo-card-body` for padding). `permission` ("app.codename") is asked for the object.
    """

    title: str | Promise
    template: str
    context: Callable[[HttpRequest, Any], dict[str, Any] | None]
    column: Literal["main", "side"] = "side"
    permission: str = ""
    order: int = 50
    note: str | Promise = ""


@dataclass(slots=True)
class RenderedPanel:
    """A panel with its markup for one record."""

    title: str
    note: str
    body: SafeString
    key: str = field(default="")


def rendered(
    panels: list[Panel], column: str, request: HttpRequest, obj: Model
) -> list[RenderedPanel]:
    """Return the cards of one column that this person may see, by order."""
    cards = []
    for panel in sorted(panels, key=lambda panel: panel.order):
        if panel.column != column:
            continue
        if panel.permission and not may(request.user, panel.permission, obj).allowed:
            continue
        context = panel.context(request, obj)
        if context is not None:
            body = render_to_string(
                panel.template, {"object": obj, "panel": panel, **context}, request=request
            )
            note = str(context.get("panel_note", panel.note))
            cards.append(RenderedPanel(str(panel.title), note, body, panel.template))
    return cards
