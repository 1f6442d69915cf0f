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
        """Put the sending job in force, and take over the mails of the packages below."""
        from backoffice.accounts import post  # noqa: PLC0415 - needs loaded models
        from backoffice.mail import registry, services  # noqa: PLC0415 - needs loaded models

        import_module("backoffice.mail.delivery")
        import_module("backoffice.mail.places").register()
        for one in post.declared:
            registry.register(one.name, label=one.label, subject=one.subject, fields=one.fields)
        post.deliver_by(services.queue)
