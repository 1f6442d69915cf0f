"""What payments add to the order page: the sums, the refunds, and asking for one."""

from typing import Any, cast

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.money import Money, exponent
from backoffice.policy import may
from backoffice.site import Badge, Panel, action
from backoffice.site.timeline import Entry
from orders.admin import LineNote, OrderAdmin
from orders.models import Charge, Order, OrderLine
from payments import queries, services
from payments.admin.cards import chain, label_of, refund_badge, what_for
from payments.admin.refund_form import RefundForm
from payments.models import Payment, Refund
from payments.services import choosing, splitting, stops
from payments.services.moves import VERBS
from payments.services.splitting import Left

_S = Refund.State
# Steps that the order's timeline leaves to the refund's own page.
_DETAILS = frozenset({VERBS[_S.EXECUTING]})


def _why_not(order: Order) -> str:
    return choosing.room(order).why_not


def _hint(order: Order) -> str:
    return _("Up to %(left)s") % {"left": choosing.room(order).left}


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
    why_not=_why_not,
    hint=_hint,
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
    related = ("disputes", "refunds")
    payments = list(order.payments.order_by("captured_at", "pk").prefetch_related(*related))
    running = stops.running()
    stopped = (stops.held(payment.gateway, running) for payment in payments)
    return {
        "chains": [chain(payment) for payment in payments],
        "together": _together(payments, order.currency) if len(payments) > 1 else None,
        "stopped": list(dict.fromkeys(text for text in stopped if text)),
    }


def _together(payments: list[Payment], currency: str) -> Money:
    same = (payment.refundable for payment in payments if payment.currency == currency)
    return sum(same, Money(0, currency))


def _refunds(request: HttpRequest, order: Order) -> dict[str, Any] | None:
    refunds = list(queries.refunds_of(order))
    if not refunds:
        return None
    rows = [(refund, refund_badge(refund), what_for(refund)) for refund in refunds]
    return {"rows": rows, "panel_note": str(len(rows))}


def line_notes(request: HttpRequest, order: Order) -> dict[OrderLine | Charge | Order, LineNote]:
    """Return what was refunded of each line and charge, what is left of it, and where to ask.

    The order's own note is what is left of all; the tax stands with everything that is left.
    """
    found = queries.refunds_by_thing(order)
    asks = may(request.user, "payments.request_refund", Refund).allowed
    sees = may(request.user, "payments.view_payment", None).allowed
    url = reverse("admin:orders_order_do_request_refund", args=[order.pk])
    together = queries.refundable(order)
    lefts = splitting.left_of(order)
    notes: dict[OrderLine | Charge | Order, LineNote] = {}
    for left in lefts:
        line = left.thing if isinstance(left.thing, OrderLine) else None
        badges = _line_badges(found.get(_ids(left.thing)), order.currency)
        opens = line is not None and asks and together and left.minor > 0
        link = (f"{url}?line={left.thing.pk}", _("Refund")) if opens else ("", "")
        texts = _left_texts(left) if sees and together and left.minor > 0 else ()
        notes[left.thing] = LineNote(badges, *link, texts)
    if sees and together:
        told = _("%(amount)s left") % {"amount": together}
        notes[order] = LineNote(texts=(told, *_tax_text(splitting.tax_of(together, lefts))))
    return notes


def _ids(thing: OrderLine | Charge) -> tuple[int | None, int | None]:
    return (thing.pk, None) if isinstance(thing, OrderLine) else (None, thing.pk)


def _left_texts(left: Left) -> tuple[str, ...]:
    """Return what can still go back for a line or charge: amount, pieces, the tax in it."""
    words = {"amount": left.amount, "count": left.pieces}
    told = _("%(amount)s left") % words
    if isinstance(left.thing, OrderLine) and left.pieces:
        told = (
            ngettext(
                "%(amount)s left, %(count)s piece", "%(amount)s left, %(count)s pieces", left.pieces
            )
            % words
        )
    return (told, *_tax_text(Money(left.tax, left.thing.currency)))


def _tax_text(tax: Money) -> tuple[str, ...]:
    return (_("with %(tax)s of tax in it") % {"tax": tax},) if tax else ()


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
    return Entry(payment.captured_at, what, label_of(payment.gateway), "", "done")


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
