"""Other people decide."""

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _


class ApprovalsConfig(AppConfig):
    """Requests that wait for other people's decision."""

    name = "backoffice.approvals"
    verbose_name = _("Approvals")
    role_permissions = {
        "owner": ("approvals.view_approvalrequest",),
        "finance": ("approvals.view_approvalrequest",),
        "auditor": ("approvals.view_approvalrequest",),
        "privacy": ("approvals.view_approvalrequest",),
    }
    people_only = ("approvals.",)
    api_scopes = {"approvals:read": _("Read approvals")}

    def ready(self) -> None:
        """Put checks, jobs, mails and the rule of grants in force."""
        from backoffice.approvals import (  # noqa: F401, PLC0415 - needs models
            access,
            execution,
            grants,
            notices,
            places,
            recurring,
        )
        from backoffice.approvals.checks import check_rules  # noqa: PLC0415

        checks.register(check_rules)
        notices.register()
        access.register()
        grants.register()
        places.register()
