"""Payments and refunds."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    """Payments: money in through gateways, and refunds out."""

    name = "payments"
    verbose_name = _("Payments")
    role_permissions = {
        "support": (
            "payments.view_payment",
            "payments.view_refund",
            "payments.request_refund",
        ),
        "finance": (
            "payments.view_payment",
            "payments.view_refund",
            "payments.request_refund",
            "payments.approve_refund",
            "payments.export_payment",
            "payments.export_refund",
        ),
        "ops": ("payments.view_payment", "payments.view_refund"),
        "analyst": ("payments.view_payment", "payments.view_refund"),
        "owner": (
            "payments.view_payment",
            "payments.view_refund",
            "payments.approve_refund",
        ),
        "auditor": ("payments.view_payment", "payments.view_refund"),
    }
