"""What payments add to the order page: the sums, the refunds, and asking for one."""

from typing import Any, cast

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.money import Money, exponent
from backoffice.policy import may
from backoffice.site import Badge, Panel, action
from backoffice.site.timeline import Entry
from orders.admin import LineNote, OrderAdmin
from orders.models import Order
from payments import queries, services
from payments.admin.cards import chain, refund_badge, what_for
from payments.admin.refund_form import RefundForm
from payments.models import Payment, Refund
from payments.services import stops
from payments.services.moves import VERBS

_S = Refund.State
# Steps that the order's timeline leaves to the refund's own page.
_DETAILS = frozenset({VERBS[_S.EXECUTING]})


def _dialog(admin: Any, request: HttpRequest, order: Order) -> dict[str, Any]:
    left = queries.refundable(order)
    return {"left": left, "most": left.minor, "exponent": exponent(order.currency)}


@action(
    gettext_lazy("Request refund"),
    permission="payments.request_refund",
    icon="undo",
    form=RefundForm,
    primary=True,
    row=False,
    wide=True,
    template="payments/refund_form.html",
    context=_dialog,
    visible=lambda order: bool(queries.refundable(order)),
)
def request_refund(admin: Any, request: HttpRequest, order: Order, form: RefundForm) -> SafeString:
    """Reserve the money and ask a second person."""
    refund = services.request_refund(
        order,
        form.cleaned_data["asked"],
        actor=cast("User", request.user),
        reason=form.reason_text(),
        newest=form.cleaned_data["newest"],
    )
    return format_html(
        '{} <a href="{}">{}</a>',
        _("Refund of %(amount)s is requested. It waits for another person; no money has moved.")
        % {"amount": refund.amount},
        reverse("admin:payments_refund_change", args=[refund.pk]),
        refund.code,
    )


def _sums(request: HttpRequest, order: Order) -> dict[str, Any]:
    payments = order.payments.order_by("captured_at").prefetch_related("disputes")
    return {"chains": [chain(payment) for payment in payments], "stopped": stops_of(order)}


def stops_of(order: Order) -> list[str]:
    """Return in words what keeps refunds of this order back for now."""
    aliases = order.payments.order_by("pk").values_list("gateway", flat=True).distinct()
    return list(dict.fromkeys(text for alias in aliases if (text := stops.held(alias))))


def _refunds(request: HttpRequest, order: Order) -> dict[str, Any] | None:
    refunds = list(queries.refunds_of(order))
    if not refunds:
        return None
    rows = [(refund, refund_badge(refund), what_for(refund)) for refund in refunds]
    return {"rows": rows, "panel_note": str(len(rows))}


def line_notes(request: HttpRequest, order: Order) -> dict[int, LineNote]:
    """Return for each line what was refunded or is held, and where to ask for a refund."""
    found = queries.refunds_by_line(order)
    asks = may(request.user, "payments.request_refund", Refund).allowed
    url = reverse("admin:orders_order_do_request_refund", args=[order.pk])
    left = bool(queries.refundable(order))
    notes = {}
    for line in order.lines.all():
        badges = _line_badges(found.get(line.pk), line.currency)
        open_ = asks and left and line.reserved_minor < line.total_minor
        link = (f"{url}?line={line.pk}", _("Refund")) if open_ else ("", "")
        notes[line.pk] = LineNote(badges, *link)
    return notes


def _line_badges(found: queries.LineRefunds | None, currency: str) -> tuple[Badge, ...]:
    if found is None:
        return ()
    badges = []
    if found.refunded_minor:
        sum_ = Money(found.refunded_minor, currency)
        badges.append(Badge("done", _("%(amount)s refunded") % {"amount": sum_}))
    if found.under_way_minor:
        sum_ = Money(found.under_way_minor, currency)
        badges.append(Badge("wait", _("%(amount)s reserved") % {"amount": sum_}))
    return tuple(badges)


def timeline(order: Order) -> list[Entry]:
    """Return what happened to payments and refunds of the order."""
    paid = [_of_payment(payment) for payment in order.payments.all()]
    events = queries.events_about(list(queries.refunds_of(order)))[:50]
    wanted = set(VERBS.values()) - _DETAILS
    return paid + [_of_event(event) for event in events if event.verb in wanted]


def _of_payment(payment: Payment) -> Entry:
    what = _("Paid %(amount)s") % {"amount": payment.captured}
    return Entry(payment.captured_at, what, chain(payment).gateway, "", "done")


_TONES = {
    VERBS[_S.REQUESTED]: "wait",
    VERBS[_S.UNKNOWN]: "unkn",
    VERBS[_S.NEEDS_REVIEW]: "unkn",
    VERBS[_S.SUCCEEDED]: "done",
    VERBS[_S.EXTERNAL]: "done",
}


def _of_event(event: Event) -> Entry:
    tone = _TONES.get(event.verb, "") if event.outcome == Outcome.DONE else "fail"
    amount = event.context.get("amount", "")
    what = f"{event.verb_label}, {amount}" if amount else event.verb_label
    return Entry(event.at, what, str(event.actor or _("System")), event.reason, tone)


OrderAdmin.contribute(
    panels=[
        Panel(
            gettext_lazy("Payment"),
            "payments/order_payment.html",
            _sums,
            permission="payments.view_payment",
            order=10,
        ),
        Panel(
            gettext_lazy("Refunds"),
            "payments/refunds_of_order.html",
            _refunds,
            column="main",
            permission="payments.view_refund",
            order=20,
        ),
    ],
    actions=[request_refund],
)
OrderAdmin.line_notes.append(line_notes)
OrderAdmin.timeline_sources.append(timeline)
