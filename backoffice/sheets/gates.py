"""What has to hold before an import writes its first row; whoever starts it passes by here."""

from collections.abc import Callable
from typing import Final

from django.utils.translation import gettext as _

from backoffice.sheets.answers import StateError
from backoffice.sheets.models import ImportJob
from backoffice.sheets.problems import Severity

Asked = Callable[[ImportJob], bool]
_approvals: Final[list[Asked]] = []
_undos: Final[list[Asked]] = []


class ApprovalNeededError(StateError):
    """Somebody else has to approve this import first (`starting.start_or_ask` asks)."""


def register(is_asked: Asked) -> None:
    """Let `is_asked` say whether an import still has to be approved."""
    _approvals.append(is_asked)


def decide_undo(was_wanted: Asked) -> None:
    """Let `was_wanted` say whether others had to decide about what an import wrote."""
    _undos.append(was_wanted)


def is_undone_by_others(job: ImportJob) -> bool:
    """Whether somebody else than who made the import has to undo it."""
    return any(asks(job) for asks in _undos)


def why_not(job: ImportJob) -> str:
    """Return why the import cannot start as it is, in words; "" when it can."""
    if job.whole and job.problems.filter(severity=Severity.FAILED, from_run=False).exists():
        return _(
            "It is all or nothing, and rows failed. Correct them, or take the good rows alone."
        )
    return ""


def needs_approval(job: ImportJob) -> bool:
    """Whether somebody else has to approve it, who did not yet."""
    return any(asks(job) for asks in _approvals)


def must_be_open(job: ImportJob) -> None:
    """Raise StateError where something keeps it from writing, ApprovalNeededError for approval."""
    if why := why_not(job):
        raise StateError(why)
    if needs_approval(job):
        raise ApprovalNeededError(_("Somebody else has to approve this import first."))
