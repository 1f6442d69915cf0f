"""The composition: the only package that knows every app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProjectConfig(AppConfig):
    """Holds the commands that need every app: `demo` and `serve`."""

    name = "backoffice.project"
    label = "project"
    verbose_name = _("Backoffice")

    def ready(self) -> None:
        """Register the check of the database."""
        from backoffice.project import checks  # noqa: F401, PLC0415 - it registers itself
