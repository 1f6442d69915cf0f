"""Mail to people of the backoffice."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailConfig(AppConfig):
    """The outbox and the job that empties it."""

    name = "backoffice.mail"
    verbose_name = _("Mail")
    role_permissions = {
        "ops": ("mail.view_mail", "mail.resend_mail"),
        "owner": ("mail.view_mail",),
        "auditor": ("mail.view_mail",),
    }

    def ready(self) -> None:
        """Put the sending job in force."""
        import_module("backoffice.mail.delivery")
