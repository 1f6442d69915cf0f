"""Cards of the order page: lines, parcels, requests, notes, where it goes, what may be done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.audit.models import Event, Outcome
from backoffice.money import Money
from backoffice.policy import may, may_many
from backoffice.site import Badge, Panel, staff_site
from backoffice.site.actions import declared
from backoffice.site.timeline import Entry
from backoffice.site.values import choice_badge
from orders.models import ChangeRequest, Charge, DeliveryAddress, Order, OrderLine, OrderNote
from orders.queries import came_back, pieces_of
from orders.services.changes import DECIDE, OWN
from orders.states import ORDER, ChangeState, LineState, Pieces, still_ahead

if TYPE_CHECKING:
    from backoffice.site.values import BadgeKind

TIMELINE_LENGTH = 12
NOTES = 20
LINE_STATES: "dict[str, BadgeKind]" = {
    LineState.OPEN: "wait",
    LineState.PARTLY_SHIPPED: "move",
    LineState.SHIPPED: "move",
    LineState.PARTLY_DELIVERED: "move",
    LineState.DELIVERED: "quiet",
    LineState.PARTLY_RETURNED: "rest",
    LineState.RETURNED: "rest",
    LineState.CANCELLED: "rest",
}
PARCEL_STATES: "dict[str, BadgeKind]" = {
    "prepared": "wait",
    "shipped": "move",
    "delivered": "quiet",
    "lost": "fail",
    "cancelled": "rest",
}
CHANGE_STATES: "dict[str, BadgeKind]" = {
    "requested": "wait",
    "approved": "move",
    "rejected": "fail",
    "withdrawn": "rest",
    "done": "done",
    "failed": "fail",
}


@dataclass(frozen=True, slots=True)
class LineNote:
    """What an app above says: badges, where a button leads ("": none), and lines of small text."""

    badges: tuple[Badge, ...] = ()
    url: str = ""
    label: str = ""
    texts: tuple[str, ...] = ()


# source(request, order) -> what is said of lines, of charges, and (the order) of all together.
LineNotes = Callable[[HttpRequest, Order], Mapping[OrderLine | Charge | Order, LineNote]]
TimelineSource = Callable[[Order], list[Entry]]
line_notes: list[LineNotes] = []
timeline_sources: list[TimelineSource] = []


@dataclass(slots=True)
class LineRow:
    """One row of the card of lines."""

    line: OrderLine
    state: Badge
    counts: str
    notes: list[LineNote]


def lines(request: HttpRequest, order: Order) -> dict[str, Any]:
    """Return the lines with their state, and the sums below them."""
    rows = list(order.lines.select_related("product", "seller").order_by("position"))
    charges = list(order.charges.all())
    told = [source(request, order) for source in line_notes]

    def notes_on(what: OrderLine | Charge | Order) -> list[LineNote]:
        return [found[what] for found in told if what in found]

    back = came_back(order)
    sellers = len({line.seller_id for line in rows})
    tax = sum(line.tax_minor for line in rows) + sum(charge.tax_minor for charge in charges)
    return {
        "rows": [_row(line, back.get(line.pk, 0), notes_on(line)) for line in rows],
        "charges": [(charge, notes_on(charge)) for charge in charges],
        "goods": Money(sum(line.total_minor for line in rows), order.currency),
        "goods_label": _goods(rows),
        "total": order.total,
        "total_notes": notes_on(order),
        "tax": Money(tax, order.currency) if tax else None,
        "panel_note": ngettext("%(count)s seller", "%(count)s sellers", sellers)
        % {"count": sellers},
    }


def _row(line: OrderLine, back: int, notes: list[LineNote]) -> LineRow:
    pieces = pieces_of(line, back)
    badge = Badge(LINE_STATES[pieces.state], pieces.state.label)
    return LineRow(line, badge, counts(pieces), notes)


def counts(pieces: Pieces) -> str:
    """Return the pieces in words, where they are not all of one kind."""
    parts = (
        (pieces.open, gettext_lazy("%(count)s open")),
        (pieces.shipped - pieces.delivered, gettext_lazy("%(count)s on the way")),
        (pieces.delivered, gettext_lazy("%(count)s delivered")),
        (pieces.cancelled, gettext_lazy("%(count)s cancelled")),
        (pieces.returned, gettext_lazy("%(count)s came back")),
    )
    told = [str(text) % {"count": count} for count, text in parts if count]
    return ", ".join(told) if len(told) > 1 else ""


def _goods(rows: list[OrderLine]) -> str:
    pieces = sum(line.quantity for line in rows)
    count = ngettext("%(count)s line", "%(count)s lines", len(rows)) % {"count": len(rows)}
    amount = {"count": number_format(pieces, force_grouping=True)}
    return _("Goods, %(lines)s, %(pieces)s") % {
        "lines": count,
        "pieces": ngettext("%(count)s piece", "%(count)s pieces", pieces) % amount,
    }


def parcels(request: HttpRequest, order: Order) -> dict[str, Any] | None:
    """Return the parcels; None where there are none."""
    rows = list(order.parcels.select_related("seller", "replaces").prefetch_related("lines"))
    if not rows:
        return None
    found = [
        {
            "parcel": parcel,
            "badge": choice_badge(parcel, "state", PARCEL_STATES),
            "pieces": sum(line.quantity for line in parcel.lines.all()),
        }
        for parcel in rows
    ]
    return {"rows": found, "panel_note": str(len(found))}


def changes(request: HttpRequest, order: Order) -> dict[str, Any] | None:
    """Return what the customer asked for, with the buttons of who may decide; None for nothing."""
    rows = list(order.changes.select_related("asked_by", "decided_by").order_by("-id"))
    if not rows:
        return None
    allowed = may_many(request.user, DECIDE, rows)
    found = [_change_row(request, change, allowed[change.pk].allowed) for change in rows]
    return {"rows": found, "panel_note": str(len(found))}


def _change_row(request: HttpRequest, change: ChangeRequest, allowed: bool) -> dict[str, Any]:  # noqa: FBT001
    waits = change.state == ChangeState.REQUESTED
    own = waits and change.asked_by_id == request.user.pk
    links = []
    if waits and allowed:
        for name, label in (("approve", _("Approve")), ("reject", _("Reject"))):
            url = reverse(f"admin:orders_changerequest_do_{name}", args=[change.pk])
            links.append((name, url, label))
    return {
        "change": change,
        "badge": choice_badge(change, "state", CHANGE_STATES),
        "links": links,
        "why_not": _("You took it down: somebody else decides.") if own else "",
    }


def notes(request: HttpRequest, order: Order) -> dict[str, Any] | None:
    """Return the newest notes; None where there are none."""
    rows = list(OrderNote.objects.filter(order=order).select_related("author")[:NOTES])
    return {"rows": rows, "panel_note": str(len(rows))} if rows else None


def delivery(request: HttpRequest, order: Order) -> dict[str, Any] | None:
    """Return where the order goes, as a mask; None where nobody gave an address for it."""
    found = DeliveryAddress.objects.filter(order=order).first()
    if found is None or not found.address:
        return None
    right = "reveal" if may(request.user, "orders.reveal_deliveryaddress", found) else "ask"
    url = reverse(f"admin:orders_deliveryaddress_{right}", args=[found.pk, "address"])
    return {"ship_to": found, "reveal_url": url, "reveals": right == "reveal"}


@dataclass(frozen=True, slots=True)
class Possible:
    """One thing that could be done: where, or (`why_not`) why it cannot be done now.

    `hint` says more of what can be done, e.g. up to which amount.
    """

    label: str
    icon: str
    url: str = ""
    why_not: str = ""
    hint: str = ""


def possible(request: HttpRequest, order: Order) -> dict[str, Any] | None:
    """Return what this person may do now, and what not and why; None for who may do nothing.

    What somebody has no right to is not named.
    """
    page = staff_site.get_model_admin(Order)
    found = [
        _possible(spec, order, page.url_of(f"do_{spec.name}", order.pk))
        for spec in declared(page)
        if spec.detail
        and not _is_past(spec, order)
        and page.allows(request, spec.permission, order)
    ]
    found += _decisions(request, order)
    if not found:
        return None
    now = [one for one in found if one.url]
    return {"now": now, "later": [one for one in found if not one.url]}


def _possible(spec: Any, order: Order, url: str) -> Possible:
    if why := _why_not(spec, order):
        return Possible(str(spec.label), spec.icon, "", why)
    hint = "" if spec.hint is None else str(spec.hint(order))
    return Possible(str(spec.label), spec.icon, url, hint=hint)


def _is_past(spec: Any, order: Order) -> bool:
    """Say whether an action leads to a state that the order has left behind: no news to anybody."""
    to = getattr(spec.why_not, "to", None)
    return to is not None and to not in still_ahead(ORDER, order.status)


def _why_not(spec: Any, order: Order) -> str:
    if spec.shown_for(order):
        return ""
    return str(spec.refusal(order) or _("Its state does not allow it."))


def _decisions(request: HttpRequest, order: Order) -> list[Possible]:
    """Return the requests to decide about, and those that are this person's own."""
    waiting = list(order.changes.filter(state=ChangeState.REQUESTED).order_by("id"))
    if not waiting or not may(request.user, DECIDE, None):
        return []
    found = []
    for change in waiting:
        words = {"change": change, "kind": change.get_kind_display()}
        label = _("Decide about %(change)s: %(kind)s") % words
        url = reverse("admin:orders_changerequest_change", args=[change.pk])
        own = change.asked_by_id == request.user.pk
        found.append(Possible(label, "how_to_reg", "" if own else url, _own() if own else ""))
    return found


def _own() -> str:
    text = str(OWN)
    return f"{text[:1].upper()}{text[1:]}."


def timeline(request: HttpRequest, order: Order) -> dict[str, Any]:
    """Return what happened, newest first."""
    events = Event.objects.about(order).select_related("actor")[:TIMELINE_LENGTH]
    entries = [_entry(event) for event in events]
    entries += [entry for source in timeline_sources for entry in source(order)]
    entries.append(Entry(order.placed_at, _("Placed"), _("Customer"), "", "done"))
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return {
        "entries": entries[:TIMELINE_LENGTH],
        "panel_note": timezone.get_current_timezone_name(),
    }


def _entry(event: Event) -> Entry:
    tone = "" if event.outcome == Outcome.DONE else "fail"
    return Entry(event.at, event.verb_label, str(event.actor or _("System")), event.reason, tone)


PANELS = [
    Panel(gettext_lazy("Lines"), "orders/lines.html", lines, column="main", order=10),
    Panel(
        gettext_lazy("Change requests"),
        "orders/changes.html",
        changes,
        column="main",
        permission="orders.view_changerequest",
        order=15,
    ),
    Panel(
        gettext_lazy("Parcels"),
        "orders/parcels.html",
        parcels,
        column="main",
        permission="orders.view_parcel",
        order=30,
    ),
    Panel(
        gettext_lazy("Notes"),
        "orders/notes.html",
        notes,
        column="main",
        permission="orders.view_ordernote",
        order=40,
    ),
    Panel(gettext_lazy("What may be done now"), "orders/possible.html", possible, order=20),
    Panel(
        gettext_lazy("Goes to"),
        "orders/delivery.html",
        delivery,
        permission="orders.view_deliveryaddress",
        order=30,
    ),
    Panel(gettext_lazy("Timeline"), "backoffice/timeline.html", timeline, order=90),
]
