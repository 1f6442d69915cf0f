"""A scanner that cannot work is found at start, not by the first upload."""

from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from backoffice.files import scanning


@checks.register()
def check_scanner(**kwargs: Any) -> list[checks.CheckMessage]:
    """``files.E001`` BACKOFFICE_SCANNER names no Scanner, or one that refuses its settings."""
    try:
        scanning.configured()
    except (ImportError, TypeError, ImproperlyConfigured) as error:
        hint = "Name a class of scanning.Scanner as docs/operations.md says, or leave it empty."
        return [checks.Error(f"BACKOFFICE_SCANNER: {error}", hint=hint, id="files.E001")]
    return []
