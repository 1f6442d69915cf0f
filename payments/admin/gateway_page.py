"""Gateways: whether each works and may refund, and against what its adapter was proven."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.policy import may
from backoffice.site import Badge, SitePage, navigation, staff_site
from payments.admin.cards import REFUND_STATES
from payments.gateways import gateways
from payments.gateways.base import Caps, Gateway
from payments.models import GatewayState, GatewayVerification, Refund, RefundStop
from payments.services import verification
from payments.states import RefundState

STALE = timedelta(minutes=15)
"""An older look says nothing about now: the worker may be gone."""


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many refunds of a gateway are in a state, and where they are listed ("" for nobody)."""

    badge: Badge
    number: int
    url: str


@dataclass(slots=True)
class Card:
    """One gateway as the page shows it; `problem` is why it cannot be used at all."""

    alias: str
    label: str
    gateway: Gateway | None
    problem: str = ""
    state: GatewayState | None = None
    stop: RefundStop | None = None
    proof: GatewayVerification | None = None
    run: GatewayVerification | None = None
    counts: list[StateCount] = field(default_factory=list)

    @property
    def health(self) -> Badge:
        """Whether it answered when it was last asked."""
        if self.by_hand:
            return Badge("quiet", _("Moved by people"))
        if self.state is None or self.state.checked_at is None:
            return Badge("rest", _("Not looked at yet"))
        if self.state.checked_at < timezone.now() - STALE:
            return Badge("wait", _("Not looked at lately"))
        return Badge("quiet", _("Up")) if self.state.healthy else Badge("fail", _("Down"))

    @property
    def by_hand(self) -> bool:
        """Whether people move the money."""
        return self.gateway is not None and self.gateway.caps.by_hand

    @property
    def has_vendor(self) -> bool:
        """Whether there is somebody at whom it could be verified."""
        return self.gateway is not None and not (self.by_hand or self.gateway.practice)

    @property
    def badges(self) -> list[Badge]:
        """What is to be known at a glance, the usual first."""
        if self.gateway is None:
            return [Badge("fail", _("Wrong settings"))]
        return [self.health, *self._gates(), *self._keys(self.gateway)]

    def _gates(self) -> Iterator[Badge]:
        if self.stop is not None:
            yield Badge("fail", _("Refunds stopped"))
        if self.state is not None and self.state.open_until is not None:
            yield Badge("wait", _("Requests pause"))

    def _keys(self, gateway: Gateway) -> Iterator[Badge]:
        if gateway.practice:
            yield Badge("tag", _("For practice"))
        if not self.has_vendor:
            return
        yield Badge("tag", _("Live keys") if gateway.live else _("Test keys"))
        verified = Badge("quiet", _("Verified")), Badge("wait", _("Not verified live"))
        yield verified[0] if self.proof else verified[1]

    @property
    def refused(self) -> str:
        """Why its live keys may not refund; "" where they may."""
        if self.gateway is None or not self.gateway.live or self.proof or self.accepted:
            return ""
        return _(
            "Nothing is refunded here: the keys move real money, and nobody has proven yet that "
            "this adapter works at the vendor."
        )

    @property
    def accepted(self) -> bool:
        """Whether the settings take the adapter without a proof."""
        return verification.accepted(self.alias)

    @property
    def failed_step(self) -> Mapping[str, str] | None:
        """Where the last run stopped, if it failed."""
        if self.run is None or self.run.ok or not self.run.details:
            return None
        last: Mapping[str, str] = self.run.details[-1]
        return last

    @property
    def abilities(self) -> list[str]:
        """What it can do, in words."""
        return list(_abilities(self.gateway.caps)) if self.gateway else []


def _abilities(caps: Caps) -> Iterator[str]:
    yield _("Parts of a payment go back") if caps.partial else _("Only whole payments go back")
    if not caps.multiple:
        yield _("One refund a payment")
    if caps.by_hand:
        yield _("People move the money; two of them say with evidence that it went")
        return
    yield _("Answers at once") if caps.refund_sync else _("Tells the outcome later, by an event")
    if caps.lookup == "list":
        yield _("Can be asked what became of a refund")
    else:
        yield _("Cannot be asked about a refund; its events and reports end it")
    yield _("Knows a key for %(time)s") % {"time": _time(caps.key_ttl)}
    yield _("Signs its events") if caps.signed_webhooks else _("Does not sign events: hints only")
    if caps.max_age:
        yield _("Refunds payments of the last %(time)s") % {"time": _time(caps.max_age)}
    if caps.min_interval:
        wait = caps.min_interval.total_seconds()
        text = _("At least %(seconds)g s between two refunds of a payment")
        yield text % {"seconds": wait}
    if caps.needs_account:
        kinds = ", ".join(sorted(kind.replace("_", " ") for kind in caps.needs_account))
        text = _(
            "Not offered: refunds of %(kinds)s. They want the customer's bank account, which is "
            "not kept here, and fail. Make them on the gateway's own pages: they are found there"
        )
        yield text % {"kinds": kinds}


def _time(span: timedelta) -> str:
    if span >= timedelta(days=2):
        return ngettext("%(n)d day", "%(n)d days", span.days) % {"n": span.days}
    hours = int(span.total_seconds() // 3600)
    return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}


class GatewaysPage(SitePage):
    """One card a gateway; nobody is asked while it is shown."""

    path, name = "gateways/", "gateways"
    title = gettext_lazy("Gateways")
    subtitle = gettext_lazy(
        "Who takes and gives back the money: whether it works, what it can do, and what proves it."
    )
    permission = "payments.view_gatewaystate"
    template_name = "payments/gateways.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Gather all of it in a constant number of queries."""
        stops = {stop.gateway: stop for stop in _stops()}
        linked = may(request.user, "payments.view_refund", None).allowed
        stoppable = may(request.user, "payments.view_refundstop", None).allowed
        return {
            "stops_url": reverse("admin:payments_refundstop_changelist") if stoppable else "",
            "cards": _cards(stops, linked=linked),
            "stopped": stops.get(""),
            "gone": _gone(),
        }


def _stops() -> list[RefundStop]:
    open_ones = RefundStop.objects.filter(ended_at__isnull=True)
    return list(open_ones.select_related("stopped_by").order_by("pk"))


def _cards(stops: Mapping[str, RefundStop], *, linked: bool) -> list[Card]:
    states = {state.gateway: state for state in GatewayState.objects.order_by("pk")}
    runs, counts = _runs(), _counts()
    cards = [_card(alias) for alias in gateways]
    for card in cards:
        backend = settings.GATEWAYS[card.alias]["BACKEND"]
        card.state, card.stop = states.get(card.alias), stops.get(card.alias)
        card.run, card.proof = runs.get(backend, (None, None))
        card.counts = _listed(card.alias, counts.get(card.alias, {}), linked=linked)
    return cards


def _card(alias: str) -> Card:
    """Return the card of a gateway, also of one whose settings are wrong."""
    try:
        gateway = gateways[alias]
    except (ImportError, LookupError, TypeError, ValueError) as error:
        return Card(alias, alias, None, problem=str(error))
    return Card(alias, str(gateway.label), gateway)


def _runs() -> dict[str, tuple[GatewayVerification | None, GatewayVerification | None]]:
    """Return adapter -> (its last run, its last run that is a proof)."""
    found: dict[str, tuple[GatewayVerification | None, GatewayVerification | None]] = {}
    for run in GatewayVerification.objects.order_by("id"):
        proof = run if run.ok and run.mode == verification.TEST else None
        before = found.get(run.backend, (None, None))[1]
        found[run.backend] = (run, proof or before)
    return found


def _counts() -> dict[str, dict[str, int]]:
    """Return alias -> state -> how many refunds."""
    rows = Refund.objects.order_by().values_list("gateway", "state").annotate(n=Count("pk"))
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for alias, state, number in rows:
        counts[alias][state] = number
    return counts


def _listed(alias: str, counts: Mapping[str, int], *, linked: bool) -> list[StateCount]:
    base = reverse("admin:payments_refund_changelist") if linked else ""
    return [
        StateCount(
            Badge(REFUND_STATES[state], state.label),
            counts[state],
            f"{base}?{urlencode({'state__exact': state, 'gateway': alias})}" if linked else "",
        )
        for state in RefundState
        if counts.get(state)
    ]


def _gone() -> list[str]:
    """Return gateways that refunds name and the settings do not."""
    named = Refund.objects.order_by("gateway").values_list("gateway", flat=True).distinct()
    return [alias for alias in named if alias not in gateways]


staff_site.add_page(GatewaysPage)
navigation.add(
    staff_site,
    group=gettext_lazy("Gateways"),
    label=gettext_lazy("Gateways"),
    icon="account_balance",
    url_name="gateways",
    permission="payments.view_gatewaystate",
    order=48,
)
