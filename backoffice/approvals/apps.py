"""A second person decides."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ApprovalsConfig(AppConfig):
    """Requests that wait for a second person."""

    name = "backoffice.approvals"
    verbose_name = _("Approvals")
    role_permissions = {
        "owner": ("approvals.view_approvalrequest",),
        "finance": ("approvals.view_approvalrequest",),
        "auditor": ("approvals.view_approvalrequest",),
    }

    def ready(self) -> None:
        """Let old requests and grants run out; put the rule of grants in force."""
        from backoffice.approvals import grants, recurring  # noqa: F401, PLC0415 - needs models

        grants.register()
