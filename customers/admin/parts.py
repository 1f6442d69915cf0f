"""Cards and tabs of a customer's page: what is open, what happened, who looked.

An app above adds what is open there:

    OPEN_MATTERS.append(lambda request, customer: [Matter(…)])
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import verbs
from backoffice.audit.models import Event, Outcome
from backoffice.masking.services import Purpose
from backoffice.policy import may
from backoffice.site import Badge, Panel
from backoffice.site.tabs import Tab
from customers.models import Customer, CustomerMerge

SEES = "customers.see_reveals"
LOOKS_SHOWN, LOOKS_DAYS = 5, 90


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that waits or runs: what, where it stands, a line below it."""

    text: str
    url: str
    badge: Badge
    note: str = ""
    icon: str = "pending_actions"


OPEN_MATTERS: list[Callable[[HttpRequest, Customer], list[Matter]]] = []


def _merges(request: HttpRequest, customer: Customer) -> list[Matter]:
    """Return the merges of this customer that wait for a decision."""
    if not may(request.user, "customers.view_customermerge", None):
        return []
    mine = CustomerMerge.objects.filter(Q(kept=customer) | Q(gone=customer))
    waiting = mine.filter(state=CustomerMerge.State.REQUESTED)
    return [
        Matter(
            text=_("Merge %(gone)s into %(kept)s") % {"gone": one.gone, "kept": one.kept},
            url=reverse("admin:customers_customermerge_change", args=[one.pk]),
            badge=Badge("wait", _("Waiting")),
            note=_("Asked for by %(person)s") % {"person": one.requested_by},
            icon="call_merge",
        )
        for one in waiting.select_related("kept", "gone", "requested_by")
    ]


OPEN_MATTERS.append(_merges)


def _open_matters(request: HttpRequest, customer: Customer) -> dict[str, Any] | None:
    matters = [one for source in OPEN_MATTERS for one in source(request, customer)]
    return {"matters": matters} if matters else None


@dataclass(frozen=True, slots=True)
class Look:
    """One sight of personal data: who, of what, when, why; `refused` when it was not shown."""

    who: str
    what: str
    verb: str
    at: datetime
    why: str
    refused: bool


def _looks(request: HttpRequest, customer: Customer) -> QuerySet[Event]:
    """Return what gave, or would have given, sight of the customer's data; newest first."""
    about = Event.objects.about(customer).filter(verb__in=verbs.personal())
    found: QuerySet[Event] = about.select_related("actor", "real_actor", "typed").order_by("-id")
    return found


def _told(request: HttpRequest, customer: Customer, events: list[Event]) -> list[Look]:
    """Return the events in words; the typed reason is for those who read the whole record."""
    reads_all = may(request.user, "audit.view_event", None).allowed
    return [_look(event, reads_all=reads_all) for event in events]


def _look(event: Event, *, reads_all: bool) -> Look:
    facts = event.context if isinstance(event.context, dict) else {}
    names = facts.get("fields") or [facts.get("field", "")]
    purpose = dict(Purpose.choices).get(facts.get("purpose", ""), "")
    return Look(
        who=event.who,
        what=", ".join(_label(str(name)) for name in names if name),
        verb=event.verb_label,
        at=event.at,
        why=event.reason if reads_all else str(purpose),
        refused=event.outcome != Outcome.DONE,
    )


def _label(name: str) -> str:
    known = {field.name: field for field in Customer._meta.concrete_fields}
    return capfirst(str(known[name].verbose_name)) if name in known else name


def _latest_looks(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    since = timezone.now() - timedelta(days=LOOKS_DAYS)
    shown = _looks(request, customer).filter(at__gte=since, outcome=Outcome.DONE)
    note = _("last %(days)s days") % {"days": LOOKS_DAYS}
    return {
        "looks": _told(request, customer, list(shown[:LOOKS_SHOWN])),
        "panel_note": note,
    }


def _count_looks(request: HttpRequest, customer: Customer) -> int:
    return _looks(request, customer).filter(outcome=Outcome.DONE).count()


PANELS = [
    Panel(gettext_lazy("Open matters"), "customers/open_matters.html", _open_matters, order=20),
    Panel(
        gettext_lazy("Who saw personal data"),
        "customers/latest_looks.html",
        _latest_looks,
        permission=SEES,
        order=30,
    ),
]
REVEALS = Tab(
    "reveals",
    gettext_lazy("Reveals"),
    "customers/reveals.html",
    _looks,
    prepare=_told,
    count=_count_looks,
    permission=SEES,
    order=90,
    empty=gettext_lazy("Nobody has looked at a hidden value of this customer."),
)
