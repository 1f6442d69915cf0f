"""Finds the charts of every installed app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class ChartsConfig(AppConfig):
    """Imports each app's `charts.py`, which registers its charts by the `@chart` decorator."""

    name = "backoffice.charts"
    label = "charts"
    verbose_name = _("Charts")

    def ready(self) -> None:
        autodiscover_modules("charts")
