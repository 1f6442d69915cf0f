"""Refunds: the list with decisions in the row, and a page that says what is known."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

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
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event, Outcome
from backoffice.money import Money
from backoffice.policy import may
from backoffice.site import (
    BackofficeAdmin,
    Panel,
    action,
    navigation,
    register,
    staff_site,
)
from backoffice.site.cells import date_text, mask_markup
from backoffice.site.list_views import ListView
from backoffice.site.values import icon
from backoffice.site.visitors import signed_in
from payments import queries, services
from payments.admin import refund_filters
from payments.admin.cards import (
    OPEN_QUESTION,
    REFUND_STATES,
    chain,
    code_of,
    explanation,
    waiting_since,
    what_for,
)
from payments.admin.decision_forms import ApproveForm, RejectForm, ReviewForm
from payments.gateways import gateways
from payments.models import Refund
from payments.services import reviews, stops
from payments.services.execution import KEY_MARGIN
from payments.services.moves import VERBS
from payments.services.requests import REFUND_RULE
from payments.states import ENDED

_S = Refund.State


def _is_requested(refund: Refund) -> bool:
    return refund.state == _S.REQUESTED


@register(Refund, site=staff_site)
class RefundAdmin(BackofficeAdmin):
    """Money that goes back. One person asks, another decides, the worker pays."""

    change_form_template = "payments/refund.html"
    change_list_template = "payments/refunds.html"
    list_subtitle = gettext_lazy("One person asks, another decides, then the gateway pays once.")
    empty_text = gettext_lazy("A refund is asked for on the page of an order.")
    list_display = (
        "code",
        "order_number",
        "for_what",
        "amount_sum",
        "state",
        "reason",
        "requested_by",
        "created_at",
        "decided_by",
    )
    list_filter = ("state", "gateway", refund_filters.AgeFilter, refund_filters.AmountFilter)
    list_views: ClassVar[list[ListView]] = [
        ListView("", gettext_lazy("All")),
        ListView(
            "waiting",
            gettext_lazy("Waiting for me"),
            rows=refund_filters.waiting,
            count=refund_filters.waiting_count,
            empty=gettext_lazy("No refund waits for you."),
        ),
        ListView(
            "people",
            gettext_lazy("Needs people"),
            rows=refund_filters.for_people,
            empty=gettext_lazy("No refund needs people to say what became of it."),
        ),
    ]
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
        rows = super().get_queryset(request).select_related(*related, "approval")
        return rows.prefetch_related("parts__order_line__product", "parts__charge")

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

    @admin.display(description=gettext_lazy("for"))
    def for_what(self, refund: Refund) -> str:
        """The lines and charges, by code."""
        return what_for(refund)

    @admin.display(description=gettext_lazy("amount"), ordering="amount_minor")
    def amount_sum(self, refund: Refund) -> Money:
        """What goes back."""
        return refund.amount

    def record_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Say whether the page should look again by itself."""
        context = super().record_context(request, obj)
        if obj is None:
            return context
        following = obj.state in ENDED or obj.state == _S.NEEDS_REVIEW
        return context | {
            "moving": not following,
            "stopped": stops.held(obj.gateway) if obj.state not in ENDED else "",
            "by_hand": reviews.is_by_hand(obj.gateway) and obj.state == _S.PENDING,
        }

    def list_context(self, request: HttpRequest, changelist: Any) -> dict[str, Any]:
        """Say which refunds are stopped."""
        stopped = [stops.words(one) for one in stops.running()]
        return super().list_context(request, changelist) | {"stopped": stopped}

    def line_title(self, obj: Any) -> str:
        """Return what an approver of many needs: amount, order, what for, who asked and why."""
        words = {
            "code": obj.code,
            "amount": obj.amount,
            "order": obj.payment.order.number,
            "what": what_for(obj),
            "who": obj.requested_by,
            "why": obj.reason,
        }
        return _("%(code)s: %(amount)s, order %(order)s (%(what)s), %(who)s: %(why)s") % words

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
        bulk=True,
        step_up=True,
        visible=_is_requested,
        order=10,
    )
    def approve(self, request: HttpRequest, refund: Refund, form: Any) -> str:
        """Decide for it; the worker sends it within a moment."""
        comment = form.cleaned_data["comment"]
        services.approve_refund(refund, actor=signed_in(request), comment=comment)
        refund.refresh_from_db()
        if refund.state == _S.REQUESTED:
            return _("Your approval counts. One more person has to approve this refund.")
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
        bulk=True,
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

    @action(
        gettext_lazy("Say what became of it"),
        permission="payments.review_refund",
        icon="fact_check",
        form=ReviewForm,
        step_up=True,
        visible=lambda refund: reviews.is_reviewable(refund) and not reviews.open_review(refund),
        order=40,
    )
    def review(self, request: HttpRequest, refund: Refund, form: Any) -> str:
        """Propose what happened, with evidence; another person agrees."""
        data = form.cleaned_data
        reviews.propose(
            refund,
            data["outcome"],
            file=data["file"],
            reference=data["reference"],
            reason=data["reason"],
            actor=signed_in(request),
        )
        return _("Another person has to agree before anything changes. The amount stays held.")


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
        "approvers": _approvers(refund),
        "customer": _customer(request, refund),
        "payment_url": reverse("admin:payments_payment_change", args=[payment.pk]),
        "gateway": gateways[alias].label if alias in gateways else alias,
        "key_good_until": good if refund.state not in ENDED else None,
    }


def _approvers(refund: Refund) -> str:
    """Return who approved, and how many are wanted: "Max (1 of 2)"."""
    request = refund.approval
    if request is None:
        return ""
    votes = request.votes.filter(choice="approve").select_related("voter")
    people = [str(vote.voter) for vote in votes]
    if not people and refund.state != _S.REQUESTED:
        return ""
    words = {"people": ", ".join(people) or _("nobody yet"), "count": len(people)}
    text = _("%(people)s (%(count)s of %(wanted)s)")
    return text % {**words, "wanted": request.approvers}


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
        gettext_lazy("Others with the right to approve refunds decide; never who asked for it."),
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
        gettext_lazy(
            "One person says here what they found, with a file that proves it; another one agrees. "
            "Neither of them asked for this refund."
        ),
    ),
    _S.REVERSED: (
        gettext_lazy("The money went out and came back: the customer does not have it."),
        gettext_lazy("What was held is free. Ask for another refund, perhaps another way."),
    ),
}


def _parts(request: HttpRequest, refund: Refund) -> dict[str, Any]:
    return {"parts": [(part, code_of(part)) for part in refund.parts.all()]}


def _reviews(request: HttpRequest, refund: Refund) -> dict[str, Any] | None:
    found = reviews.reviews_of(refund)
    if not found and not reviews.is_reviewable(refund):
        return None
    sees = may(request.user, "payments.view_evidence", None).allowed
    return {
        "rows": [_review(one, sees=sees) for one in found],
        "why_not": reviews.why_not(refund, signed_in(request)) if not found else "",
    }


def _review(request: ApprovalRequest, *, sees: bool) -> dict[str, Any]:
    kept = reviews.evidence_of(request)
    address = reverse("admin:payments_evidence", args=[kept.public_id]) if kept and sees else ""
    return {
        "request": request,
        "outcome": reviews.OUTCOMES[_S(request.payload["outcome"])],
        "reference": request.payload["reference"],
        "file": kept.name if kept else "",
        "file_url": address,
        "url": reverse("admin:approval", args=[request.pk]),
    }


def _tries(request: HttpRequest, refund: Refund) -> dict[str, Any] | None:
    tries = list(refund.tries.all()[:50])
    shown = [(one, json.dumps(one.raw, indent=1, ensure_ascii=False)) for one in tries]
    return {"tries": shown} if tries else None


def _sums(request: HttpRequest, refund: Refund) -> dict[str, Any]:
    return {"chains": [chain(refund.payment)]}


def waiting_for(user: User) -> int:
    """Return how many refunds this person may decide now."""
    return approvals.waiting_for(user).filter(kind=REFUND_RULE.kind).count()


RefundAdmin.panels = [
    Panel(gettext_lazy("For"), "payments/parts.html", _parts, column="main", order=5),
    Panel(
        gettext_lazy("What people say"),
        "payments/reviews.html",
        _reviews,
        column="main",
        order=15,
    ),
    Panel(
        gettext_lazy("Tries, and what the gateway answered"),
        "payments/tries.html",
        _tries,
        column="main",
        permission="payments.view_gateway_answer",
        order=30,
    ),
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
