"""New rows only, rows that exist only, or both: what an import leaves alone on purpose."""

from django.utils.translation import gettext_lazy as _

from backoffice.sheets import problems
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.problems import Severity, Text
from backoffice.sheets.resources import Plan, Step

EXISTS = "exists"
ABSENT = "absent"
_CODES = {ImportJob.Mode.CREATE: EXISTS, ImportJob.Mode.UPDATE: ABSENT}

problems.register(
    {
        EXISTS: Text(
            _("The record exists, and differs or may differ"),
            _("Left out: this import only makes new rows."),
            Severity.SKIPPED,
        ),
        ABSENT: Text(
            _("No such record exists"),
            _("Left out: this import only changes rows that exist."),
            Severity.SKIPPED,
        ),
    }
)


def unwanted(mode: str) -> Status | None:
    """Return the status of the records that the mode leaves alone."""
    return {ImportJob.Mode.CREATE: Status.CHANGED, ImportJob.Mode.UPDATE: Status.NEW}.get(
        ImportJob.Mode(mode)
    )


def left_alone(mode: str) -> frozenset[Status]:
    """Return what a check tells as left out.

    Of a record that brings masked values nobody learns whether it differs: it is left out too.
    """
    out = unwanted(mode)
    if out is None:
        return frozenset()
    return frozenset({out, Status.BRINGS} if out == Status.CHANGED else {out})


def code(mode: str) -> str:
    """Return the code of the problem that such a record has."""
    return _CODES[ImportJob.Mode(mode)]


def apply(plan: Plan, mode: str, step: Step) -> None:
    """Take what the mode leaves alone out of the plan, each with its problem."""
    out = unwanted(mode)
    if out is None or plan.settles:
        return
    if out == Status.NEW:
        plan.create = []
    else:
        plan.update = []
    leave = left_alone(mode)
    for one in plan.outcomes:
        if one.status in leave:
            one.status = Status.SKIPPED
            plan.problems.append(step.problem(code(mode), one.record))
