"""Work that takes longer than a page."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """Jobs run by the worker process."""

    name = "backoffice.jobs"
    verbose_name = _("Jobs")
    role_permissions = {
        "ops": ("jobs.view_job", "jobs.cancel_job", "jobs.retry_job"),
        "owner": ("jobs.view_job",),
        "auditor": ("jobs.view_job",),
        "privacy": ("jobs.view_job",),
    }

    def ready(self) -> None:
        """Put the checks, the sealer of the record and the clearing away in force."""
        import_module("backoffice.jobs.checks")
        import_module("backoffice.jobs.recurring")
        import_module("backoffice.jobs.upkeep")
        import_module("backoffice.jobs.places").register()
