"""Customers."""

from django.apps import AppConfig
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
        ),
        "finance": ("customers.view_customer",),
        "ops": ("customers.view_customer",),
        "analyst": ("customers.view_customer",),
        "owner": (
            "customers.view_customer",
            "customers.change_customer",
            "customers.export_customer",
        ),
        "auditor": ("customers.view_customer",),
        "privacy": ("customers.view_customer",),
    }
    api_scopes = {
        "customers:read": _("Read customers, masked"),
        "customers:write": _("Correct customers"),
    }
