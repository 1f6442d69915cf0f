"""Work that takes longer than a page."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """Jobs run by the worker process."""

    name = "backoffice.jobs"
    verbose_name = _("Jobs")
    role_permissions = {
        "ops": ("jobs.view_job", "jobs.cancel_job"),
        "owner": ("jobs.view_job",),
        "auditor": ("jobs.view_job",),
    }
