"""Masked personal data: fields, revealing, grants."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MaskingConfig(AppConfig):
    """The app of masked fields."""

    name = "backoffice.masking"
    verbose_name = _("Personal data")

    def ready(self) -> None:
        """Guard the queries and teach the API its field."""
        from backoffice.masking import guards, serializers  # noqa: PLC0415 - needs loaded apps

        guards.install()
        serializers.register()
