"""Where personal data lies in kept files: in their content, which is opened and searched."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from backoffice.files.mentions import names
from backoffice.files.models import KeptFile
from backoffice.files.sealing import DamagedError
from backoffice.masking import subjects
from backoffice.masking.erasing import Erasure, Step
from backoffice.masking.mentions import Mentions
from backoffice.masking.subjects import Place

_FEW = 5


def forget_files(_place: Place, erasure: Erasure, after: Any, _limit: int) -> Step:
    """Delete kept files that hold the people: the file first, then its row with the key.

    A file that is gone already, or that nobody can open, holds nobody any more.
    """
    rows = KeptFile.objects.order_by("pk").filter(pk__gt=after or 0)
    found = list(rows[:_FEW])
    named = [kept for kept in found if _holds(kept, erasure.group.elsewhere)]
    for kept in named:
        kept.file.delete(save=False)
        kept.delete()
    return Step(len(named), found[-1].pk if len(found) == _FEW else None)


def _holds(kept: KeptFile, mentions: Mentions) -> bool:
    if mentions.find(kept.name):
        return True
    try:
        return names(kept.chunks(), mentions)
    except (DamagedError, FileNotFoundError):
        return False


def register() -> None:
    """Put the place in force."""
    subjects.register(
        Place(
            "files.kept",
            _("Files made for staff (exports)"),
            "files.keptfile",
            step=forget_files,
            kept={"*": _("Files that hold the person go with their rows; others name nobody")},
        )
    )
