"""What payments add to the order page: the sums, the refunds, and asking for one."""

from decimal import Decimal
from typing import Any, cast

from django import forms
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
from backoffice.site import ActionForm, Badge, Panel, action
from backoffice.site.timeline import Entry
from orders.admin import LineNote, OrderAdmin
from orders.models import Order, OrderLine
from payments import queries, services
from payments.admin.cards import chain, refund_badge, what_for
from payments.models import Payment, Refund
from payments.services.moves import VERBS

_S = Refund.State
REASONS = (
    ("damaged", gettext_lazy("Arrived damaged")),
    ("missing", gettext_lazy("Did not arrive")),
    ("wrong", gettext_lazy("Wrong or not as described")),
    ("returned", gettext_lazy("Sent back")),
    ("twice", gettext_lazy("Charged twice")),
    ("other", gettext_lazy("Other, see the note")),
)
# Steps that the order's timeline leaves to the refund's own page.
_DETAILS = frozenset({VERBS[_S.EXECUTING]})


class RefundForm(ActionForm):
    """Which line, how much of it, and why."""

    recorded = gettext_lazy("Your name, the time, the line, the amount, the reason and the note.")

    line = forms.TypedChoiceField(
        label=gettext_lazy("Line"), required=False, coerce=int, empty_value=None
    )
    quantity = forms.IntegerField(
        label=gettext_lazy("Pieces"),
        required=False,
        min_value=1,
        help_text=gettext_lazy("Of this line. Empty: everything that is left of it."),
    )
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        required=False,
        min_value=Decimal(0),
        help_text=gettext_lazy("Instead of pieces, for a part of a line or for postage."),
    )
    why = forms.ChoiceField(label=gettext_lazy("Reason"), choices=REASONS)
    note = forms.CharField(
        label=gettext_lazy("Note for the approver"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("No personal data, please."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the lines of the order of which something is left."""
        super().__init__(*args, **kwargs)
        order: Order = self.instance
        self.lines = {
            line.pk: line
            for line in order.lines.select_related("product").order_by("position")
            if line.reserved_minor < line.total_minor
        }
        choices: list[tuple[Any, str]] = [(pk, _choice(line)) for pk, line in self.lines.items()]
        self.fields["line"].choices = [*choices, ("", _("No single line"))]  # type: ignore[attr-defined]
        self.fields["line"].initial = self.request.GET.get("line", next(iter(self.lines), ""))
        self.fields["amount"].widget.attrs["step"] = str(
            Decimal(1).scaleb(-exponent(order.currency))
        )

    def intro(self) -> str:
        """Return how much may still go back, and where it goes."""
        left = queries.refundable(self.instance)
        return _("Up to %(left)s can be refunded. It goes back the way it was paid.") % {
            "left": left
        }

    def rule(self) -> str:
        """Return who must approve."""
        return _("One other person with the right to approve refunds decides. You cannot.")

    def clean(self) -> dict[str, Any]:
        """Put the sum into `money` and the OrderLine (or None) into `order_line`."""
        data = super().clean() or {}
        line = self.lines.get(data.get("line") or 0)
        data["order_line"] = line
        if data.get("quantity") and data.get("amount") is not None:
            self.add_error("amount", _("Give pieces or an amount, not both."))
        elif not self.errors:
            self._add_money(data, line)
        return data

    def _add_money(self, data: dict[str, Any], line: OrderLine | None) -> None:
        order: Order = self.instance
        if data.get("amount") is not None:
            try:
                data["money"] = Money.of(data["amount"], order.currency)
            except ValueError:
                self.add_error("amount", _("This currency has no such small parts."))
        elif line is None:
            self.add_error("amount", _("Without a line, give the amount."))
        elif data.get("quantity"):
            self._add_pieces(data, line)
        else:
            data["money"] = Money(line.total_minor - line.reserved_minor, line.currency)

    def _add_pieces(self, data: dict[str, Any], line: OrderLine) -> None:
        pieces = data["quantity"]
        if pieces > line.quantity:
            text = _("This line has %(count)s pieces.") % {"count": line.quantity}
            self.add_error("quantity", text)
            return
        data["money"] = line.total.split([pieces, line.quantity - pieces])[0]

    def reason(self) -> str:
        """Return reason and note as one text."""
        chosen = str(dict(REASONS)[self.cleaned_data["why"]])
        note = self.cleaned_data["note"]
        return f"{chosen}. {note}" if note else chosen


def _choice(line: OrderLine) -> str:
    left = Money(line.total_minor - line.reserved_minor, line.currency)
    words = {"code": line.product.code, "name": line.product.name, "left": left}
    return _("%(code)s %(name)s, %(left)s left") % words


@action(
    gettext_lazy("Request refund"),
    permission="payments.request_refund",
    icon="undo",
    form=RefundForm,
    primary=True,
    row=False,
    visible=lambda order: bool(queries.refundable(order)),
)
def request_refund(admin: Any, request: HttpRequest, order: Order, form: RefundForm) -> SafeString:
    """Reserve the money and ask a second person."""
    line = form.cleaned_data["order_line"]
    refund = services.request_refund(
        order,
        [services.Asked(line=line, amount=form.cleaned_data["money"])],
        actor=cast("User", request.user),
        reason=form.reason(),
    )
    return format_html(
        '{} <a href="{}">{}</a>',
        _("Refund of %(amount)s is requested. It waits for another person; no money has moved.")
        % {"amount": refund.amount},
        reverse("admin:payments_refund_change", args=[refund.pk]),
        refund.code,
    )


def _sums(request: HttpRequest, order: Order) -> dict[str, Any]:
    return {"chains": [chain(payment) for payment in order.payments.order_by("captured_at")]}


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
            "payments/chain.html",
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
