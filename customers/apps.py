"""Customers."""

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    """Customers: who buys."""

    name = "customers"
    verbose_name = _("Customers")
    role_permissions = {
        "support": (
            "customers.view_customer",
            "customers.change_customer",
            "customers.export_customer",
            "customers.merge_customer",
            "customers.view_customermerge",
            "customers.see_reveals",
        ),
        "finance": ("customers.view_customer",),
        "ops": ("customers.view_customer", "customers.import_customer"),
        "analyst": ("customers.view_customer",),
        "owner": (
            "customers.view_customer",
            "customers.change_customer",
            "customers.export_customer",
            "customers.merge_customer",
            "customers.approve_merge",
            "customers.view_customermerge",
            "customers.see_reveals",
            "customers.unmask_page_customer",
            "customers.export_clear_customer",
            "customers.view_privacycase",
            "customers.manage_privacycase",
            "customers.approve_privacycase",
        ),
        "auditor": (
            "customers.view_customer",
            "customers.view_customermerge",
            "customers.see_reveals",
            "customers.view_privacycase",
        ),
        "privacy": (
            "customers.view_customer",
            "customers.approve_merge",
            "customers.view_customermerge",
            "customers.see_reveals",
            "customers.unmask_page_customer",
            "customers.export_clear_customer",
            "customers.view_privacycase",
            "customers.manage_privacycase",
            "customers.approve_privacycase",
        ),
    }
    people_only = (
        "customers.merge_customer",
        "customers.approve_merge",
        "customers.manage_privacycase",
        "customers.approve_privacycase",
    )
    api_scopes = {
        "customers:read": _("Read customers, masked"),
        "customers:write": _("Correct customers"),
    }

    def ready(self) -> None:
        """Put the rules of merges in force, and let the policy know what merged ones forbid."""
        from backoffice import policy  # noqa: PLC0415 - needs loaded models
        from backoffice.accounts import guarded  # noqa: PLC0415
        from customers import places, services  # noqa: PLC0415 - needs loaded models

        guarded.guard("customers.manage_privacycase", "customers.approve_privacycase")
        policy.register_denials(services.denials)
        policy.register_denials(services.privacy.denials)
        places.register()
        services.reading.register()
        checks.register(services.retention.check_periods)
