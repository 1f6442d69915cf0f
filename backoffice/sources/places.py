"""Where personal data could lie about other systems. What they answer is not kept here."""

from django.utils.translation import gettext_lazy as _

from backoffice.masking import subjects
from backoffice.masking.subjects import CLEAN, Place


def register() -> None:
    """Put the place in force."""
    subjects.register(
        Place(
            "sources.states",
            _("States of other systems"),
            "sources.sourcestate",
            fields={"reason": CLEAN},
            kept={"name": _("A name from the settings")},
            everywhere=True,
        )
    )
