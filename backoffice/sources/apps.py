"""Data of other systems, read when it is looked at."""

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

from backoffice.audit.context import current
from backoffice.http import identify_with


class SourcesConfig(AppConfig):
    """Sources, and the pages that join them."""

    name = "backoffice.sources"
    verbose_name = _("Across systems")
    role_permissions = {
        "support": ("sources.view_pages",),
        "ops": ("sources.view_pages", "sources.view_sourcestate"),
        "owner": ("sources.view_pages", "sources.view_sourcestate"),
    }

    def ready(self) -> None:
        """Forward our request's id to the systems that we ask; check them now and for ever."""
        # The models have to be loaded first.
        from backoffice.sources import places, services  # noqa: F401, PLC0415

        places.register()
        identify_with(lambda: current().request_id)
        checks.register(_check_addresses, "sources")


def _check_addresses(**kwargs: object) -> list[checks.CheckMessage]:
    """Report a source whose address or token cannot be used."""
    from backoffice.sources import registry  # noqa: PLC0415  pages import models

    found: list[checks.CheckMessage] = []
    for source in registry.sources():
        try:
            source.client()
        except (ValueError, AttributeError) as error:
            text, hint = f"Source {source.name}: {error}.", "Correct its address or token."
            found.append(checks.Error(text, hint=hint, id="sources.E001"))
    return found
