"""A watched folder that cannot be read is found at start, not by the first file."""

from typing import Any

from django.core import checks

from backoffice.sheets import folders


@checks.register()
def check_folders(**kwargs: Any) -> list[checks.CheckMessage]:
    """``sheets.E001`` BACKOFFICE_SHEET_FOLDERS has an entry that means nothing."""
    try:
        folders.configured()
    except (ValueError, AttributeError, TypeError) as error:
        hint = "Name a folder, a profile and a person for each, as docs/sheets.md says."
        return [checks.Error(f"BACKOFFICE_SHEET_FOLDERS: {error}", hint=hint, id="sheets.E001")]
    return []
