"""The reconciliation desk: days of each gateway, what agrees, what differs, closing."""

from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.files.services import RefusedFileError
from backoffice.files.services import keep as keep_file
from backoffice.files.services import take as scan_file
from backoffice.jobs.models import Job
from backoffice.money import Money
from backoffice.site import (
    BackofficeAdmin,
    Badge,
    Panel,
    ReasonForm,
    action,
    navigation,
    register,
    staff_site,
)
from backoffice.site.list_views import ListView
from backoffice.site.visitors import signed_in
from payments.admin.break_forms import DayForm, FileForm
from payments.admin.break_page import STATES, ours_of, theirs_of
from payments.gateways import gateways
from payments.gateways.base import MovementKind
from payments.gateways.settling import settling
from payments.models import Break, ReconciledDay, SettlementEntry, SettlementImport
from payments.services import closing, desk, settlements

_D = ReconciledDay.State
SHOWN = 100
"""Rows of one day that its page shows; the lists show all of them."""
_LABELS = {
    MovementKind.CAPTURE: gettext_lazy("Captured"),
    MovementKind.REFUND: gettext_lazy("Refunded"),
    MovementKind.REVERSAL: gettext_lazy("Refunds that came back"),
    MovementKind.CHARGEBACK: gettext_lazy("Chargebacks"),
    MovementKind.CHARGEBACK_REVERSED: gettext_lazy("Chargebacks taken back"),
    MovementKind.FEE: gettext_lazy("Fees"),
    MovementKind.PAYOUT: gettext_lazy("Payouts"),
}
_ORDER = [str(kind) for kind in _LABELS]


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of movement in one currency: both sides."""

    label: str
    ours: Money
    theirs: Money
    counts: tuple[int, int]

    @property
    def difference(self) -> Money:
        """What theirs is more."""
        return self.theirs - self.ours


class ReopenForm(ReasonForm):
    """Why a closed day has to be opened."""

    recorded = gettext_lazy("Your name, the time, the day and the reason.")

    def intro(self) -> str:
        """Return what will happen."""
        return _("Another person has to agree. Then the day can be matched and closed anew.")


def _to_close(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Leave out days on which nothing moved: there is nothing to agree on."""
    breaks = Break.objects.filter(gateway=OuterRef("gateway"), day=OuterRef("day"))
    moved = Q(matched__gt=0) | ~Q(sums={}) | Exists(breaks)
    return rows.filter(moved, state=_D.OPEN)


def _closed(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(state=_D.CLOSED)


@register(ReconciledDay, site=staff_site)
class DayAdmin(BackofficeAdmin):
    """Days at gateways: fetched, matched, closed."""

    list_title = gettext_lazy("Reconciliation")
    list_subtitle = gettext_lazy(
        "What gateways settled, day by day, beside what our books say. A day is closed when both "
        "agree or two people said why not."
    )
    empty_text = gettext_lazy(
        "A day appears here when its settlement is fetched or its file is taken in."
    )
    list_display = ("named", "gateway_label", "state", "matched", "open_breaks", "sums_text",
                    "matched_at", "closed_by")  # fmt: skip
    list_filter = ("state", "gateway", "day")
    list_select_related = ("closed_by",)
    list_views: ClassVar[list[ListView]] = [
        ListView("", gettext_lazy("To close"), rows=_to_close,
                 empty=gettext_lazy("No open day on which money moved.")),
        ListView("closed", gettext_lazy("Closed"), rows=_closed),
        ListView("all", gettext_lazy("All")),
    ]  # fmt: skip
    date_hierarchy = "day"
    badges: ClassVar[dict[str, Any]] = {"state": {_D.OPEN: "wait", _D.CLOSED: "quiet"}}
    numeric_columns: ClassVar[tuple[str, ...]] = ("matched", "open_breaks", "sums_text")
    editable = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReconciledDay]:
        """Fetch who closed it along."""
        return super().get_queryset(request).select_related("closed_by")

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Return none: the cards say all of it."""
        return []

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Days come with their settlements."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Days change by matching and closing."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Days stay."""
        return False

    def list_context(self, request: HttpRequest, changelist: Any) -> dict[str, Any]:
        """Count the open differences of the days on this page, in one query."""
        days = list(changelist.result_list)
        waiting = Break.objects.filter(
            day__in={day.day for day in days}, state__in=("open", "proposed")
        )
        rows = waiting.order_by().values_list("gateway", "day").annotate(Count("pk"))
        counts = {(gateway, day): count for gateway, day, count in rows}
        for day in days:
            day.waiting = counts.get((day.gateway, day.day), 0)
        return super().list_context(request, changelist)

    @admin.display(description=gettext_lazy("day"), ordering="day")
    def named(self, day: ReconciledDay) -> date:
        """Return the day at the gateway."""
        return day.day

    @admin.display(description=gettext_lazy("gateway"), ordering="gateway")
    def gateway_label(self, day: ReconciledDay) -> str:
        """Return the gateway's name."""
        return label_of(day.gateway)

    @admin.display(description=gettext_lazy("open differences"))
    def open_breaks(self, day: Any) -> int:
        """Return how many are not solved."""
        found = getattr(day, "waiting", None)
        return _breaks(day).filter(_UNSOLVED).count() if found is None else found

    @admin.display(description=gettext_lazy("captured, refunded"))
    def sums_text(self, day: ReconciledDay) -> str:
        """Return what our books say, a currency after the other."""
        found = []
        for currency, kinds in sorted(day.sums.items()):
            texts = [str(Money(kinds[kind][0], currency)) for kind in _ORDER[:2] if kind in kinds]
            found.append(" ".join(texts))
        return " · ".join(found)

    def record_title(self, obj: Any) -> str:
        """Return "Simulator, 4 Mar 2026"."""
        return f"{label_of(obj.gateway)}, {_day_text(obj.day)}"

    def record_badges(self, obj: Any) -> list[Badge]:
        """Return whether it is closed."""
        closed = obj.state == _D.CLOSED
        return [Badge("quiet" if closed else "wait", obj.get_state_display())]

    def record_subtitle(self, request: HttpRequest, obj: Any) -> SafeString:
        """Return the zone of the day, and who closed it."""
        zone = _("day of %(zone)s") % {"zone": settling(obj.gateway).zone.key}
        if obj.state == _D.CLOSED:
            return format_html("{} · {} {}", zone, _("closed by"), obj.closed_by)
        return format_html("{}", zone)

    @action(
        gettext_lazy("Fetch a day"),
        permission="payments.match_day",
        icon="cloud_download",
        form=DayForm,
        listing=True,
        order=10,
    )
    def fetch_day(self, request: HttpRequest, obj: None, form: Any) -> SafeString:
        """Ask a gateway for a day."""
        data = form.cleaned_data
        job = desk.start_fetch(data["gateway"], data["day"], actor=signed_in(request))
        return _job_text(job, _("The settlement is being fetched."))

    @action(
        gettext_lazy("Check a file"),
        permission="payments.match_day",
        icon="upload_file",
        form=FileForm,
        listing=True,
        submit=gettext_lazy("Check the file"),
        order=20,
    )
    def upload(self, request: HttpRequest, obj: None, form: Any) -> SafeString:
        """Keep the file and lead to what it holds; nothing is stored yet."""
        data, actor = form.cleaned_data, signed_in(request)
        try:
            taken = scan_file(data["file"], actor=actor, purpose=desk.FILES)
        except RefusedFileError as error:
            raise ValidationError({"file": str(error)}) from None
        data["file"].seek(0)
        kept = keep_file(
            data["file"].chunks(), name=taken.name, kind="csv", purpose=desk.FILES, owner=actor
        )
        query = urlencode({"gateway": data["gateway"], "day": data["day"].isoformat()})
        url = f"{reverse('admin:payments_settlement_check', args=[kept.public_id])}?{query}"
        return format_html(
            '{} <a href="{}">{}</a>', _("The file is read."), url, _("See what it holds")
        )

    @action(
        gettext_lazy("Fetch now"),
        permission="payments.match_day",
        icon="cloud_download",
        visible=lambda day: day.state == _D.OPEN and day.gateway in settlements.offering(),
        order=10,
    )
    def fetch(self, request: HttpRequest, day: ReconciledDay, form: Any) -> SafeString:
        """Ask the gateway for this day."""
        job = desk.start_fetch(day.gateway, day.day, actor=signed_in(request))
        return _job_text(job, _("The settlement is being fetched."))

    @action(
        gettext_lazy("Match again"),
        permission="payments.match_day",
        icon="rule",
        visible=lambda day: day.state == _D.OPEN,
        order=20,
    )
    def match(self, request: HttpRequest, day: ReconciledDay, form: Any) -> SafeString:
        """Compare both sides anew."""
        job = desk.start_match(day.gateway, day.day, actor=signed_in(request))
        return _job_text(job, _("The day is being matched."))

    @action(
        gettext_lazy("Close the day"),
        permission="payments.close_day",
        icon="lock",
        primary=True,
        step_up=True,
        visible=lambda day: day.state == _D.OPEN,
        why_not=lambda day: " ".join(closing.why_not(day)),
        order=30,
    )
    def close(self, request: HttpRequest, day: ReconciledDay, form: Any) -> str:
        """Close it, with its sums on the record."""
        closing.close(day.gateway, day.day, actor=signed_in(request))
        return _("The day is closed. What arrives for it later is a difference of an open day.")

    @action(
        gettext_lazy("Ask to open it again"),
        permission="payments.close_day",
        icon="lock_open",
        form=ReopenForm,
        harmful=True,
        visible=lambda day: day.state == _D.CLOSED,
        order=40,
    )
    def reopen(self, request: HttpRequest, day: ReconciledDay, form: Any) -> str:
        """Ask a second person to open it."""
        reason = form.cleaned_data["reason"]
        closing.ask_reopen(day, actor=signed_in(request), reason=reason)
        return _("Another person has to agree before the day is open again.")


_UNSOLVED = Q(state__in=("open", "proposed"))


def label_of(gateway: str) -> str:
    """Return what people call a gateway."""
    return str(gateways[gateway].label) if gateway in gateways else gateway


def _day_text(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _job_text(job: Job, text: str) -> SafeString:
    url = reverse("admin:job", args=[job.public_id])
    return format_html('{} <a href="{}">{}</a>', text, url, _("See the job"))


def _breaks(day: ReconciledDay) -> QuerySet[Break]:
    return Break.objects.filter(gateway=day.gateway, day=day.day)


def lines(day: ReconciledDay) -> list[tuple[str, list[Line]]]:
    """Return currency -> lines, kinds in the order of `_LABELS`, as the day was last matched."""
    found = []
    for currency, kinds in sorted(day.sums.items()):
        rows = [
            Line(
                str(_LABELS.get(MovementKind(kind), kind)) if kind in _ORDER else _("Differences"),
                Money(ours, currency),
                Money(theirs, currency),
                (one, other),
            )
            for kind, (ours, theirs, one, other) in sorted(kinds.items(), key=_place)
        ]
        found.append((currency, rows))
    return found


def _place(item: tuple[str, Any]) -> int:
    return _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER)


def _sums(request: HttpRequest, day: ReconciledDay) -> dict[str, Any]:
    return {"currencies": lines(day), "matched_at": day.matched_at}


def _closing(request: HttpRequest, day: ReconciledDay) -> dict[str, Any]:
    closed = day.state == _D.CLOSED
    sources = SettlementImport.objects.filter(gateway=day.gateway).filter(
        Q(day=day.day) | Q(pk__in=_entries(day).values("source"))
    )
    return {
        "why_not": [] if closed else list(closing.why_not(day)),
        "closed": closed,
        "sources": sources.select_related("by").order_by("-pk")[:10],
    }


def _entries(day: ReconciledDay) -> QuerySet[SettlementEntry]:
    return SettlementEntry.objects.filter(gateway=day.gateway, day=day.day)


def _differing(request: HttpRequest, day: ReconciledDay) -> dict[str, Any]:
    found = _breaks(day).select_related("entry", "payment", "refund").order_by("-state", "pk")
    rows = [
        {
            "url": reverse("admin:payments_break_change", args=[one.pk]),
            "found": one,
            "ours": ours_of(one),
            "theirs": theirs_of(one),
            "badge": Badge(STATES[one.state], str(one.get_state_display())),
        }
        for one in found[:SHOWN]
    ]
    query = {"view": "all", "gateway": day.gateway, "day": day.day.isoformat()}
    return {"rows": rows, "all_url": _list_url("break", query), "shown": SHOWN}


def _agreeing(request: HttpRequest, day: ReconciledDay) -> dict[str, Any]:
    rows = _entries(day).filter(breaks=None).select_related("payment", "refund", "dispute")
    found = [
        (one, str(_LABELS.get(MovementKind(one.kind), one.kind)))
        for one in rows.order_by("pk")[:SHOWN]
    ]
    return {"rows": found, "count": day.matched, "shown": SHOWN}


def _list_url(name: str, query: dict[str, str]) -> str:
    return f"{reverse(f'admin:payments_{name}_changelist')}?{urlencode(query)}"


DayAdmin.panels = [
    Panel(gettext_lazy("Sums"), "payments/day_sums.html", _sums, column="main", order=10),
    Panel(
        gettext_lazy("Differences"), "payments/day_breaks.html", _differing, column="main", order=20
    ),
    Panel(gettext_lazy("Agrees"), "payments/day_rows.html", _agreeing, column="main", order=30),
    Panel(gettext_lazy("Closing"), "payments/day_closing.html", _closing, order=10),
]
navigation.add(
    staff_site,
    group=gettext_lazy("Money"),
    label=gettext_lazy("Reconciliation"),
    icon="balance",
    url_name="payments_reconciledday_changelist",
    permission="payments.view_reconciledday",
    order=45,
)
