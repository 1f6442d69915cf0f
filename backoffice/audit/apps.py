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
        "privacy": _OVERSIGHT,
    }

    people_only = ("audit.",)

    def ready(self) -> None:
        """Let nobody write rows with a history past it."""
        from simple_history.signals import (  # noqa: PLC0415 - not before the apps are loaded
            pre_create_historical_record,
        )

        from backoffice.audit import history  # noqa: PLC0415 - not before the apps are loaded

        history.install()
        pre_create_historical_record.connect(
            history.note_real_actor, dispatch_uid="backoffice.real_actor"
        )
