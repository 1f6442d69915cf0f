"""What the numbers say."""

from importlib import import_module

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _

# An app that may be left out, and the module here that reports on it.
OPTIONAL_HEALTH = {
    "backoffice.sources": "reports.queries.health.sources",
}


class ReportsConfig(AppConfig):
    """The dashboard, its charts and its cards."""

    name = "reports"
    verbose_name = _("Reports")
    role_permissions = {
        "owner": ("reports.view_dashboard", "orders.view_orderline", "orders.view_charge"),
        "analyst": ("reports.view_dashboard", "orders.view_orderline", "orders.view_charge"),
        "finance": ("reports.view_dashboard", "orders.view_orderline", "orders.view_charge"),
    }

    def ready(self) -> None:
        """Load what reports on the installed apps."""
        import_module("reports.queries.health.own")
        for app, module in OPTIONAL_HEALTH.items():
            if apps.is_installed(app):
                import_module(module)
