"""The page kit as an app: it finds the pages of all apps and checks them."""

from django.apps import AppConfig
from django.core import checks
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class SiteConfig(AppConfig):
    """Loads `admin.py` (staff pages) and `portal.py` (seller pages) of every installed app."""

    name = "backoffice.site"
    label = "backoffice_site"
    verbose_name = _("Pages")

    def ready(self) -> None:
        """Load the pages, then let the checks look at them."""
        from backoffice.masking import subjects  # noqa: PLC0415 - needs loaded models
        from backoffice.site.checks import (  # noqa: PLC0415 - needs loaded models
            check_import_export,
            check_sites,
        )

        subjects.exempt("backoffice_site.columnchoice", _("Names of columns alone"))
        checks.register(check_sites, checks.Tags.admin)
        checks.register(check_import_export)
        autodiscover_modules("admin", "portal")
