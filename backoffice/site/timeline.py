"""What happened to a record, newest first: changes, reveals, approvals, jobs and gateway calls.

An upper app lets its own records tell their story on the page of a lower one:

    timeline.follow(Order, lambda order: {"payments.refund": Refund.objects.filter(…)})

Who looked at personal data stands there for those who may see it: who has `see_reveals` of the
record's app where its model declares that right, else who reads the whole record of activity. A
verb may ask for a right of its own (`verbs.register(…, right=…)`). What was typed as the reason of
such an event is for who reads the whole record, and for who typed it.

Whatever the number of entries, a record asks the same number of queries.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.history import people, who
from backoffice.audit.models import Event, Outcome
from backoffice.masking.alarms import RAISED, SETTLED
from backoffice.masking.services import COPIED, GRANT_ENDED
from backoffice.policy import may
from backoffice.site.panels import Panel
from backoffice.site.tabs import Tab

SEES = "see_reveals"
"""Codename of the right to see who looked at personal data, where a model declares it."""
_READS_ALL = "audit.view_event"
_MOST = 12
# Rows of another kind that are followed from one record; the newest.
_FOLLOWED = 50
# Changes are told by the history already; who looked at a history, the page Activity tells.
_LEFT_OUT = {verbs.ADDED, verbs.CHANGED, verbs.HISTORY_VIEWED}

# From a record to the rows whose events stand in its stream: kind of record -> rows.
Follow = Callable[[Any], Mapping[str, QuerySet[Any]]]
_followed: dict[type[Model], list[Follow]] = defaultdict(list)


@dataclass(slots=True)
class Entry:
    """One thing that happened: `tone` is done, wait, fail or "" (the mark's colour)."""

    at: datetime
    what: str
    who: str
    why: str
    tone: str = ""


def follow(model: type[Model], related: Follow) -> None:
    """Let the events of `related(record)` stand in the stream of each record of `model`."""
    _followed[model].append(related)


def entries(obj: Model, user: Any) -> list[Entry]:
    """Return the newest entries of `obj` that `user` may see; a constant number of queries."""
    return Stream(obj, user)[:_MOST]


@dataclass(frozen=True, slots=True)
class Stream:
    """What a person may see of a record's entries, newest first; a slice is read when asked for."""

    obj: Model
    user: Any

    def __getitem__(self, part: slice) -> list[Entry]:
        """Return the entries from `part.start` to `part.stop`, both from the newest."""
        most = part.stop
        about = Event.objects.concerning_any(_subjects(self.obj))
        shown = about.exclude(verb__in=_LEFT_OUT | self._hidden())
        events = list(shown.select_related("actor", "real_actor", "typed")[:most])
        stream = self._of_events(events) + _of_history(self.obj, most)
        return sorted(stream, key=lambda entry: entry.at, reverse=True)[part.start : most]

    def _hidden(self) -> set[str]:
        """Return the verbs that the person does not read of here."""
        asked = {right: may(self.user, right, None).allowed for right in verbs.rights().values()}
        hidden = {verb for verb, right in verbs.rights().items() if not asked[right]}
        return hidden if _sees_looks(self.user, self.obj) else hidden | _looks()

    def _of_events(self, events: list[Event]) -> list[Entry]:
        """Return the events in words; a guarded reason for who wrote it or reads everything."""
        guarded = _looks() | set(verbs.rights())
        reads_all = may(self.user, _READS_ALL, None).allowed
        return [
            _of_event(
                event,
                why=reads_all or event.verb not in guarded or event.actor_id == self.user.pk,
            )
            for event in events
        ]


def _looks() -> set[str]:
    """Return the verbs that tell who looked at personal data, and what came of it."""
    return {*verbs.personal(), COPIED, GRANT_ENDED, RAISED, SETTLED}


def _sees_looks(user: Any, obj: Model) -> bool:
    if SEES not in dict(obj._meta.permissions):
        return may(user, _READS_ALL, None).allowed
    return may(user, f"{obj._meta.app_label}.{SEES}", obj).allowed


def _subjects(obj: Model) -> dict[str, list[str]]:
    """Return kind -> keys of what the stream tells of: the record, its requests and their jobs."""
    wanted = defaultdict(list, {obj._meta.label_lower: [str(obj.pk)]})
    for related in _followed[type(obj)]:
        for kind, rows in related(obj).items():
            keys = rows.order_by("-pk").values_list("pk", flat=True)[:_FOLLOWED]
            wanted[kind] += [str(key) for key in keys]
    requests = ApprovalRequest.objects.filter(
        subject_type__in=list(wanted), subject_id__in=_keys(wanted)
    )
    found = requests.order_by("-pk").values_list("pk", "job", "subject_type", "subject_id")
    for key, job, kind, subject in found[:_FOLLOWED]:
        if subject in wanted[kind]:  # the same key may name a row of another kind
            wanted["approvals.approvalrequest"].append(str(key))
            wanted["jobs.job"] += [str(job)] if job else []
    return wanted


def _keys(wanted: Mapping[str, Iterable[str]]) -> set[str]:
    return {key for keys in wanted.values() for key in keys}


def _of_event(event: Event, *, why: bool) -> Entry:
    tone = "" if event.outcome == Outcome.DONE else "fail"
    what = event.verb_label
    if event.outcome != Outcome.DONE:
        what = f"{what} ({event.get_outcome_display()})"
    return Entry(event.at, what, event.who, event.reason if why else "", tone)


def _of_history(obj: Model, most: int) -> list[Entry]:
    history: Any = getattr(obj, "history", None)
    if history is None:
        return []
    words = {"+": _("Added"), "~": _("Changed"), "-": _("Deleted")}
    rows = history.select_related(*people(type(obj))).order_by("-history_id")[:most]
    return [
        Entry(
            row.history_date,
            words[row.history_type],
            who(row),
            row.history_change_reason or "",
            "done" if row.history_type == "+" else "",
        )
        for row in rows
    ]


def _context(request: HttpRequest, obj: Model) -> dict[str, Any]:
    return {"entries": entries(obj, request.user)}


def _stream(request: HttpRequest, obj: Model) -> Stream:
    return Stream(obj, request.user)


TAB = Tab(
    "timeline",
    gettext_lazy("Timeline"),
    "backoffice/timeline_tab.html",
    _stream,
    order=80,
    empty=gettext_lazy("Changes, approvals and looks at personal data will stand here."),
)
"""For a page that shows the timeline at its own address: `page_tabs = [timeline.TAB]`."""

PANEL = Panel(gettext_lazy("Timeline"), "backoffice/timeline.html", _context, order=90)
