"""Payments: list and page. A payment changes only through refunds."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.money import Money
from backoffice.site import (
    BackofficeAdmin,
    BackofficeInline,
    Badge,
    Panel,
    navigation,
    register,
    staff_site,
)
from backoffice.site.cells import date_text
from backoffice.site.timeline import follow
from payments.admin.cards import REFUND_STATES, chain
from payments.models import Payment, Refund


class RefundRows(BackofficeInline):
    """The refunds of a payment, each with a link to its page."""

    model = Refund
    fields = ("code", "amount_sum", "state", "reason", "requested_by", "decided_by", "created_at")
    readonly_fields = fields
    record_links = True
    badges: ClassVar[dict[str, Any]] = {"state": REFUND_STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("amount_sum",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        """Fetch the people along."""
        return super().get_queryset(request).select_related("requested_by", "decided_by")

    @admin.display(description=gettext_lazy("refund"))
    def code(self, refund: Refund) -> str:
        """The short name."""
        return refund.code

    @admin.display(description=gettext_lazy("amount"))
    def amount_sum(self, refund: Refund) -> Money:
        """What goes back."""
        return refund.amount


@register(Payment, site=staff_site)
class PaymentAdmin(BackofficeAdmin):
    """Money that gateways captured, and what of it may still go back."""

    list_subtitle = gettext_lazy("Money that came in, and what of it can still be refunded.")
    empty_text = gettext_lazy("A payment appears here when a gateway captured it for an order.")
    list_display = (
        "reference",
        "order_number",
        "gateway",
        "captured_at",
        "captured_sum",
        "refunded_sum",
        "reserved_sum",
        "left_sum",
    )
    list_filter = ("gateway", "captured_at", "currency")
    list_select_related = ("order",)
    search_fields = ("reference", "order__number")
    export_fields: ClassVar[list[str]] = [
        "reference",
        "gateway",
        "method",
        "currency",
        "captured_minor",
        "reserved_minor",
        "refunded_minor",
        "captured_at",
    ]
    number_field = "reference"
    numeric_columns: ClassVar[tuple[str, ...]] = (
        "captured_sum",
        "refunded_sum",
        "reserved_sum",
        "left_sum",
    )
    inlines = (RefundRows,)
    editable = False

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Return none: the card of sums says all of it."""
        return []

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Payments come from gateways."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody edits money."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Payments stay."""
        return False

    @admin.display(description=gettext_lazy("order"), ordering="order__number")
    def order_number(self, payment: Payment) -> str:
        """The order's public number."""
        return payment.order.number

    @admin.display(description=gettext_lazy("captured"), ordering="captured_minor")
    def captured_sum(self, payment: Payment) -> Money:
        """What came in."""
        return payment.captured

    @admin.display(description=gettext_lazy("refunded"), ordering="refunded_minor")
    def refunded_sum(self, payment: Payment) -> Money:
        """What went back."""
        return payment.refunded

    @admin.display(description=gettext_lazy("reserved"))
    def reserved_sum(self, payment: Payment) -> Money:
        """What open refunds hold."""
        return payment.under_way

    @admin.display(description=gettext_lazy("can still be refunded"))
    def left_sum(self, payment: Payment) -> Money:
        """What is left."""
        return payment.refundable

    def record_title(self, obj: Any) -> str:
        """Return "Payment £292.41"."""
        return _("Payment %(amount)s") % {"amount": obj.captured}

    def record_badges(self, obj: Any) -> list[Badge]:
        """Return how far it went back."""
        return [chain(obj).badge]

    def record_subtitle(self, request: HttpRequest, obj: Payment) -> SafeString:
        """Return reference, order and time."""
        url = reverse("admin:orders_order_change", args=[obj.order_id])
        link = format_html('<a href="{}">{}</a>', url, obj.order.number)
        words = (obj.reference, _("order"), link, date_text(obj.captured_at))
        told = format_html("{} · {} {} · {}", *words)
        return format_html("{} · {}", told, obj.method) if obj.method else told


def _sums(request: HttpRequest, payment: Payment) -> dict[str, Any]:
    return {"chains": [chain(payment)]}


follow(Payment, lambda payment: {"payments.refund": payment.refunds.all()})
PaymentAdmin.panels = [Panel(gettext_lazy("Payment"), "payments/chain.html", _sums, order=10)]
navigation.add(
    staff_site,
    group=gettext_lazy("Money"),
    label=gettext_lazy("Payments"),
    icon="credit_card",
    url_name="payments_payment_changelist",
    permission="payments.view_payment",
    order=42,
)
