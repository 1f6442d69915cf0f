"""Where personal data could lie in reports of browsers: in what a page was about to load."""

from django.utils.translation import gettext_lazy as _

from backoffice.masking import subjects
from backoffice.masking.subjects import CLEAN, Place


def register() -> None:
    """Put the place in force."""
    subjects.register(
        Place(
            "browser.violations",
            _("Reports of browsers"),
            "browser.violation",
            fields=dict.fromkeys(("blocked", "page", "source"), CLEAN),
            kept={"key": _("A hash of the report"), "directive": _("A word of the standard")},
            everywhere=True,
        )
    )
