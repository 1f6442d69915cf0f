"""What happened to a record, newest first: changes and events in one stream."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import verbs
from backoffice.audit.models import Event, Outcome
from backoffice.site.panels import Panel

_MOST = 10
# Changes are told by the history already; who looked at a history, the page Activity tells.
_LEFT_OUT = {verbs.ADDED, verbs.CHANGED, verbs.HISTORY_VIEWED}


@dataclass(slots=True)
class Entry:
    """One thing that happened: `tone` is done, wait, fail or "" (the mark's colour)."""

    at: datetime
    what: str
    who: str
    why: str
    tone: str = ""


def entries(obj: Model) -> list[Entry]:
    """Return the newest entries of `obj`; two queries, whatever their number."""
    about: Any = Event.objects.about(obj).exclude(verb__in=_LEFT_OUT)
    events = about.select_related("actor")[:_MOST]
    stream = [_of_event(event) for event in events] + _of_history(obj)
    return sorted(stream, key=lambda entry: entry.at, reverse=True)[:_MOST]


def _of_event(event: Event) -> Entry:
    tone = "" if event.outcome == Outcome.DONE else "fail"
    what = event.verb_label
    if event.outcome != Outcome.DONE:
        what = f"{what} ({event.get_outcome_display()})"
    return Entry(event.at, what, str(event.actor or _("System")), event.reason, tone)


def _of_history(obj: Model) -> list[Entry]:
    history: Any = getattr(obj, "history", None)
    if history is None:
        return []
    words = {"+": _("Added"), "~": _("Changed"), "-": _("Deleted")}
    rows = history.select_related("history_user").order_by("-history_id")[:_MOST]
    return [
        Entry(
            row.history_date,
            words[row.history_type],
            str(row.history_user or _("System")),
            row.history_change_reason or "",
            "done" if row.history_type == "+" else "",
        )
        for row in rows
    ]


def _context(request: HttpRequest, obj: Model) -> dict[str, Any]:
    return {"entries": entries(obj)}


PANEL = Panel(gettext_lazy("Timeline"), "backoffice/timeline.html", _context, order=90)
