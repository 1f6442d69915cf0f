"""Payments and refunds."""

from django.apps import AppConfig
from django.core import checks
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
            "payments.withdraw_refund",
        ),
        "finance": (
            "payments.view_payment",
            "payments.view_refund",
            "payments.request_refund",
            "payments.withdraw_refund",
            "payments.approve_refund",
            "payments.export_payment",
            "payments.export_refund",
            "payments.view_gatewaystate",
            "payments.review_refund",
            "payments.view_evidence",
            "payments.view_gateway_answer",
            "payments.view_refundstop",
            "payments.view_inboxevent",
            "payments.look_again",
            "payments.view_dispute",
            "payments.stop_refunds",
            "payments.resume_refunds",
            "payments.view_reconciledday",
            "payments.view_settlementimport",
            "payments.view_settlemententry",
            "payments.view_break",
            "payments.view_ledgertransaction",
            "payments.match_day",
            "payments.close_day",
            "payments.propose_break",
            "payments.solve_break",
            "payments.export_ledgertransaction",
        ),
        "ops": (
            "payments.view_payment",
            "payments.import_payment",
            "payments.view_refund",
            "payments.view_gatewaystate",
            "payments.view_refundstop",
            "payments.view_inboxevent",
            "payments.look_again",
            "payments.stop_refunds",
        ),
        "analyst": ("payments.view_payment", "payments.view_refund"),
        "owner": (
            "payments.view_payment",
            "payments.view_refund",
            "payments.view_gatewaystate",
            "payments.approve_refund",
            "payments.review_refund",
            "payments.view_evidence",
            "payments.view_gateway_answer",
            "payments.view_refundstop",
            "payments.view_inboxevent",
            "payments.view_dispute",
            "payments.stop_refunds",
            "payments.resume_refunds",
            "payments.view_reconciledday",
            "payments.view_settlementimport",
            "payments.view_settlemententry",
            "payments.view_break",
            "payments.view_ledgertransaction",
            "payments.solve_break",
        ),
        "auditor": (
            "payments.view_payment",
            "payments.view_refund",
            "payments.view_evidence",
            "payments.view_gateway_answer",
            "payments.view_refundstop",
            "payments.view_inboxevent",
            "payments.view_dispute",
            "payments.view_reconciledday",
            "payments.view_settlementimport",
            "payments.view_settlemententry",
            "payments.view_break",
            "payments.view_ledgertransaction",
        ),
    }
    people_only = (
        "payments.request_refund",
        "payments.approve_refund",
        "payments.withdraw_refund",
        "payments.review_refund",
        "payments.stop_refunds",
        "payments.resume_refunds",
        "payments.match_day",
        "payments.close_day",
        "payments.propose_break",
        "payments.solve_break",
        "payments.look_again",
    )
    api_scopes = {
        "payments:read": _("Read payments"),
        "refunds:read": _("Read refunds"),
        "refunds:request": _("Ask for refunds"),
    }

    def ready(self) -> None:
        """Put the rule, the job and the reconciler in force, and check the gateways at start."""
        from backoffice import policy  # noqa: PLC0415 - needs loaded models
        from customers.services import belongings  # noqa: PLC0415
        from orders.services import refunding  # noqa: PLC0415
        from payments import places, queries, services  # noqa: F401, PLC0415
        from payments.gateways import check_gateways  # noqa: PLC0415
        from payments.gateways.settling import check_settling  # noqa: PLC0415
        from payments.services import (  # noqa: F401, PLC0415
            asking,
            breaks,
            closing,
            desk,
            health,
            limits,
            pruning,
            reviews,
            telling,
            verification,
        )
        from payments.services.requests import denials  # noqa: PLC0415

        checks.register(check_gateways)
        checks.register(check_settling)
        checks.register(limits.check_limits)
        checks.register(verification.check_usable)
        policy.register_denials(denials)
        policy.register_denials(breaks.denials)
        refunding.register(asking.ask_for_parts)
        telling.register()
        belongings.come_along(_("Refunds"), queries.refunds_count)
        places.register()
