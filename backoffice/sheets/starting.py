"""Choosing what an import writes, and starting it: at once, or by asking for an approval."""

from collections.abc import Callable
from typing import Final, Protocol

from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.sheets import gates, services
from backoffice.sheets.answers import StateError, change, must_own
from backoffice.sheets.models import ImportJob

OPEN: Final = (ImportJob.State.UPLOADED, ImportJob.State.CHECKED)


class Ask(Protocol):
    """Asks for the approval of an import; it waits then."""

    def __call__(self, job: ImportJob, *, actor: User, reason: str) -> None:
        """Ask. Raises StateError, ValidationError without a reason."""


_ask: Final[list[Ask]] = []


def register(ask: Ask, is_asked: Callable[[ImportJob], bool]) -> None:
    """Let approvals decide about imports."""
    gates.register(is_asked)
    _ask.append(ask)


def set_mode(job: ImportJob, mode: str, *, whole: bool, actor: User) -> Job | None:
    """Choose which rows are written, and whether all or none are.

    Another mode makes other rows skipped: the check begins anew, and its job is returned. Raises
    PermissionDenied, StateError, ValueError for a mode that there is not.
    """
    must_own(job, actor)
    if mode not in ImportJob.Mode:
        raise ValueError(_("Choose what it writes."))
    if job.mode != mode:
        change(job, mode=mode, whole=whole)
        return services.check(job, actor=actor) if job.summary else None
    mine = ImportJob.objects.filter(pk=job.pk, state__in=OPEN, step=0)
    if not mine.update(whole=whole):
        raise StateError(_("This import has been started; upload the file again."))
    job.refresh_from_db()
    return None


def start_or_ask(job: ImportJob, *, actor: User, reason: str = "") -> Job | None:
    """Start the import; where a rule wants an approval, ask for it and return None.

    Raises as `services.start` does, and ValidationError where a reason is wanted and missing.
    """
    try:
        return services.start(job, actor=actor)
    except gates.ApprovalNeededError:
        _ask[0](job, actor=actor, reason=reason)
        job.refresh_from_db()
        return None
