"""Who did, saw, exported or approved what, and why."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

_OVERSIGHT = (
    "audit.view_event",
    "audit.export_event",
    "audit.view_accessreview",
    "audit.sign_accessreview",
)


class AuditConfig(AppConfig):
    """The record of activity."""

    name = "backoffice.audit"
    verbose_name = _("Record of activity")
    role_permissions = {
        "owner": _OVERSIGHT,
        "auditor": _OVERSIGHT,
    }

    def ready(self) -> None:
        """Let nobody write rows with a history past it."""
        from backoffice.audit import history  # noqa: PLC0415 - not before the apps are loaded

        history.install()
