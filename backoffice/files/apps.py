"""Files of people: taken in, kept in private, handed out by a link that expires."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FilesConfig(AppConfig):
    """Private files."""

    name = "backoffice.files"
    verbose_name = _("Files")

    def ready(self) -> None:
        """Check the scanner's settings, and put the clearing away in force."""
        import_module("backoffice.files.checks")
        import_module("backoffice.files.services")
        import_module("backoffice.files.places").register()
