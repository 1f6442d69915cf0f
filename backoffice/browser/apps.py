"""What browsers are told, and what they report."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BrowserConfig(AppConfig):
    """Headers of every answer, and violations of the content security policy."""

    name = "backoffice.browser"
    verbose_name = _("Browsers")
    role_permissions = {
        "ops": ("browser.view_violation", "browser.settle_violation"),
        "owner": ("browser.view_violation", "browser.settle_violation"),
        "auditor": ("browser.view_violation",),
    }

    def ready(self) -> None:
        """Hear of sign-outs, and let old reports go."""
        from django.contrib.auth.signals import user_logged_out  # noqa: PLC0415 - needs apps

        from backoffice.browser import middleware  # noqa: PLC0415 - needs loaded apps

        user_logged_out.connect(middleware.note_signed_out, dispatch_uid="backoffice.browser")
        import_module("backoffice.browser.services")
        import_module("backoffice.browser.places").register()
