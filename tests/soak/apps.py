"""The app of the soak: installed by its own settings only."""

from importlib import import_module

from django.apps import AppConfig


class SoakConfig(AppConfig):
    """Rows that a job writes, so that a doubled effect shows."""

    name = "tests.soak"
    label = "soak"

    def ready(self) -> None:
        """Register the handler."""
        import_module("tests.soak.handlers")
