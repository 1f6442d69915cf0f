"""Refunds: the list with decisions in the row, and a page that says what is known."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.audit.models import Event, Outcome
from backoffice.money import Money
from backoffice.policy import may
from backoffice.site import (
    ActionForm,
    BackofficeAdmin,
    Panel,
    action,
    navigation,
    register,
    staff_site,
)
from backoffice.site.cells import date_text, mask_markup
from backoffice.site.values import icon
from backoffice.site.visitors import signed_in
from payments import queries, services
from payments.admin.cards import (
    OPEN_QUESTION,
    REFUND_STATES,
    chain,
    explanation,
    waiting_since,
)
from payments.gateways import gateways
from payments.models import Refund
from payments.services.execution import KEY_MARGIN
from payments.services.moves import VERBS
from payments.services.requests import REFUND_RULE
from payments.states import ENDED

_S = Refund.State


class ApproveForm(ActionForm):
    """What will be paid, and a word on what was checked."""

    recorded = gettext_lazy("Your name, the time and your comment.")

    comment = forms.CharField(
        label=gettext_lazy("What did you check?"),
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def intro(self) -> str:
        """Return what will happen."""
        words = {"amount": self.instance.amount, "order": self.instance.payment.order.number}
        return _("%(amount)s of order %(order)s goes back at once. This cannot be undone.") % words

    def submit_label(self) -> str:
        """Return the verb with the amount."""
        return _("Approve %(amount)s") % {"amount": self.instance.amount}


class RejectForm(ActionForm):
    """Why not; the maker reads it."""

    recorded = gettext_lazy("Your name, the time and the reason.")

    comment = forms.CharField(
        label=gettext_lazy("Why do you reject it?"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("The person who asked reads it. No personal data, please."),
    )

    def intro(self) -> str:
        """Return what will happen."""
        return _("No money goes out, and what was held for it is free again.")


def _is_requested(refund: Refund) -> bool:
    return refund.state == _S.REQUESTED


@register(Refund, site=staff_site)
class RefundAdmin(BackofficeAdmin):
    """Money that goes back. One person asks, another decides, the worker pays."""

    change_form_template = "payments/refund.html"
    list_subtitle = gettext_lazy("One person asks, another decides, then the gateway pays once.")
    empty_text = gettext_lazy("A refund is asked for on the page of an order.")
    list_display = (
        "code",
        "order_number",
        "amount_sum",
        "state",
        "reason",
        "requested_by",
        "created_at",
        "decided_by",
    )
    list_filter = ("state", "created_at", "payment__gateway")
    search_fields = ("payment__order__number", "gateway_ref")
    search_help_text = gettext_lazy("Number of the order or reference of the gateway")
    export_fields: ClassVar[list[str]] = [
        "number",
        "amount_minor",
        "currency",
        "state",
        "requested_by",
        "decided_by",
        "gateway_ref",
        "created_at",
        "finished_at",
    ]
    badges: ClassVar[dict[str, Any]] = {"state": REFUND_STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("amount_sum",)
    editable = False
    timeline = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        """Fetch along what list and page name."""
        related = ("payment__order__customer", "requested_by", "decided_by")
        return super().get_queryset(request).select_related(*related, "approval")

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Return none: the cards say all of it."""
        return []

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refunds are asked for on the order."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refunds move by their actions and by the gateway's answers."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refunds stay."""
        return False

    @admin.display(description=gettext_lazy("refund"), ordering="id")
    def code(self, refund: Refund) -> str:
        """The short name."""
        return refund.code

    @admin.display(description=gettext_lazy("order"), ordering="payment__order__number")
    def order_number(self, refund: Refund) -> str:
        """The order's public number."""
        return refund.payment.order.number

    @admin.display(description=gettext_lazy("amount"), ordering="amount_minor")
    def amount_sum(self, refund: Refund) -> Money:
        """What goes back."""
        return refund.amount

    def record_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Say whether the page should look again by itself."""
        context = super().record_context(request, obj)
        return context | {"moving": obj is not None and obj.state in queries.MOVING}

    def record_title(self, obj: Any) -> str:
        """Return "Refund £118.40"."""
        return _("Refund %(amount)s") % {"amount": obj.amount}

    def record_subtitle(self, request: HttpRequest, obj: Refund) -> SafeString:
        """Return short name, order, and since when the outcome is open."""
        url = reverse("admin:orders_order_change", args=[obj.payment.order_id])
        link = format_html('<a href="{}">{}</a>', url, obj.payment.order.number)
        words = format_html("{} · {} {}", obj.code, _("order"), link)
        if obj.state in OPEN_QUESTION:
            since = _("unknown since %(at)s") % {"at": date_text(waiting_since(obj))}
            return format_html("{} · {}", words, since)
        return words

    @action(
        gettext_lazy("Approve"),
        permission="payments.approve_refund",
        icon="check",
        form=ApproveForm,
        primary=True,
        quick=True,
        step_up=True,
        visible=_is_requested,
        order=10,
    )
    def approve(self, request: HttpRequest, refund: Refund, form: Any) -> str:
        """Decide for it; the worker sends it within a moment."""
        comment = form.cleaned_data["comment"]
        services.approve_refund(refund, actor=signed_in(request), comment=comment)
        return _("Refund of %(amount)s is approved and goes to the gateway now.") % {
            "amount": refund.amount
        }

    @action(
        gettext_lazy("Reject"),
        permission="payments.approve_refund",
        icon="close",
        form=RejectForm,
        harmful=True,
        quick=True,
        visible=_is_requested,
        order=20,
    )
    def reject(self, request: HttpRequest, refund: Refund, form: Any) -> str:
        """Decide against it."""
        comment = form.cleaned_data["comment"]
        services.reject_refund(refund, actor=signed_in(request), comment=comment)
        return _("Refund of %(amount)s is rejected. No money goes out.") % {"amount": refund.amount}

    @action(
        gettext_lazy("Take back"),
        permission="payments.withdraw_refund",
        icon="undo",
        visible=_is_requested,
        order=30,
    )
    def withdraw(self, request: HttpRequest, refund: Refund, form: Any) -> str:
        """Take an own request back."""
        services.withdraw_refund(refund, actor=signed_in(request))
        return _("Your request for %(amount)s is taken back.") % {"amount": refund.amount}


@dataclass(slots=True)
class Step:
    """One line of the card "At the gateway"."""

    at: datetime
    what: str
    detail: str
    tone: str


_TONES = {
    VERBS[_S.APPROVED]: "done",
    VERBS[_S.UNKNOWN]: "unkn",
    VERBS[_S.NEEDS_REVIEW]: "unkn",
    VERBS[_S.SUCCEEDED]: "done",
    "payments.refund_asked_again": "unkn",
}


def _steps(request: HttpRequest, refund: Refund) -> dict[str, Any]:
    events = [
        event for event in queries.events_about([refund])[:50] if event.verb.startswith("payments.")
    ]
    steps = [_step(event) for event in events]
    planned = _planned(refund)
    return {
        "steps": [planned, *steps] if planned else steps,
        "panel_note": timezone.get_current_timezone_name(),
    }


def _step(event: Event) -> Step:
    tone = _TONES.get(event.verb, "") if event.outcome == Outcome.DONE else "fail"
    who = [str(event.actor)] if event.actor else []
    words = [*who, event.reason, explanation(event)]
    return Step(event.at, event.verb_label, " · ".join(word for word in words if word), tone)


def _planned(refund: Refund) -> Step | None:
    """Return the step to come of a refund that the machine still moves."""
    if refund.next_try_at is None or refund.state not in queries.MOVING:
        return None
    texts = {
        _S.APPROVED: _("The worker sends it"),
        _S.EXECUTING: _("Waiting for the gateway's answer"),
        _S.UNKNOWN: _("Next: the same request with the same key, and a look-up"),
        _S.PENDING: _("Next look-up at the gateway"),
    }
    soon = refund.next_try_at < timezone.now() + timedelta(seconds=10)
    detail = _("within seconds, if a worker runs") if soon else ""
    return Step(refund.next_try_at, texts[_S(refund.state)], detail, "next")


def _facts(request: HttpRequest, refund: Refund) -> dict[str, Any]:
    payment, alias = refund.payment, refund.payment.gateway
    caps = gateways[alias].caps if alias in gateways else None
    good = refund.sent_at + caps.key_ttl - KEY_MARGIN if caps and refund.sent_at else None
    order = payment.order
    return {
        "order_url": reverse("admin:orders_order_change", args=[order.pk]),
        "order": order,
        "customer": _customer(request, refund),
        "payment_url": reverse("admin:payments_payment_change", args=[payment.pk]),
        "gateway": gateways[alias].label if alias in gateways else alias,
        "key_good_until": good if refund.state not in ENDED else None,
    }


def _customer(request: HttpRequest, refund: Refund) -> SafeString:
    customer = refund.payment.order.customer
    if customer is None or not may(request.user, "customers.view_customer", customer):
        return format_html("{}", "–")  # noqa: RUF001 - the dash of an empty value
    url = reverse("admin:customers_customer_change", args=[customer.pk])
    name = format_html("{} {}", icon("lock", "bo-icon--s"), mask_markup(customer.name))
    return format_html('<a href="{}">{}</a> {}', url, customer.number, name)


def _next(request: HttpRequest, refund: Refund) -> dict[str, Any] | None:
    """Return what happens next, in numbered sentences; None when nothing does."""
    sentences = _NEXT.get(_S(refund.state))
    return None if sentences is None else {"sentences": [str(text) for text in sentences]}


_NEXT = {
    _S.REQUESTED: (
        gettext_lazy("The amount is held, so that nobody can refund it a second time."),
        gettext_lazy("One other person with the right to approve refunds decides."),
        gettext_lazy("After three days without a decision the request ends and the money is free."),
    ),
    _S.UNKNOWN: (
        gettext_lazy(
            "While the key is good, the system repeats the same request with the same key. "
            "The gateway cannot pay twice for one key."
        ),
        gettext_lazy("As soon as the gateway shows it, this page says Refunded or Failed."),
        gettext_lazy("If it stays unknown, people decide with evidence. Until then, only look."),
    ),
    _S.NEEDS_REVIEW: (
        gettext_lazy("The machine asks no more: nothing it may still do is safe."),
        gettext_lazy("Look the payment up in the gateway's own dashboard. The amount stays held."),
    ),
}


def _sums(request: HttpRequest, refund: Refund) -> dict[str, Any]:
    return {"chains": [chain(refund.payment)]}


def waiting_for(user: User) -> int:
    """Return how many refunds this person may decide now."""
    return approvals.waiting_for(user).filter(kind=REFUND_RULE.kind).count()


RefundAdmin.panels = [
    Panel(gettext_lazy("What happened"), "payments/steps.html", _steps, column="main", order=10),
    Panel(gettext_lazy("What happens next"), "payments/next.html", _next, column="main", order=20),
    Panel(gettext_lazy("Refund"), "payments/facts.html", _facts, order=10),
    Panel(gettext_lazy("Money of this payment"), "payments/chain.html", _sums, order=20),
]
navigation.add(
    staff_site,
    group=gettext_lazy("Customers"),
    label=gettext_lazy("Refunds"),
    icon="undo",
    url_name="payments_refund_changelist",
    permission="payments.view_refund",
    order=40,
    badge=waiting_for,
    tone="wait",
    groups=dict.fromkeys(("finance", "owner", "ops", "analyst", "auditor"), gettext_lazy("Money")),
)
