"""Rows that are about to be changed: whether they still are what the plan saw.

A chunk is planned outside the transaction that writes it. In between somebody may edit a row on a
page; what the file says was compared with the row of before. Such a chunk is planned again.
"""

from typing import TYPE_CHECKING, Any

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from backoffice.masking.fields import MaskedMixin
from backoffice.masking.values import MaskWriteError
from backoffice.sheets import problems
from backoffice.sheets.problems import Text

if TYPE_CHECKING:
    from backoffice.sheets.resources import Plan, Step

MEANWHILE = "meanwhile"

problems.register(
    {
        MEANWHILE: Text(
            _("The record was changed by others again and again while it was written"),
            _("Left out. Import the row once more."),
        )
    }
)


class StaleError(Exception):
    """A row of the plan was changed or deleted since it was read."""


def require(plan: "Plan") -> None:
    """Lock the rows that the plan changes. Raises StaleError where one is not as it was read."""
    if stale(plan):
        raise StaleError


def leave_out(plan: "Plan", step: "Step") -> None:
    """Lock the rows, and take those that are not as they were read out of the plan."""
    gone = stale(plan)
    if plan.settles:
        return
    for row, record in plan.update:
        if row.pk in gone and record is not None:
            plan.problems.append(step.problem(MEANWHILE, record))
    plan.update = [pair for pair in plan.update if pair[0].pk not in gone]


def stale(plan: "Plan") -> set[Any]:
    """Lock the rows that the plan changes, in a transaction; return the keys of stale ones."""
    if not plan.update:
        return set()
    rows = plan.model._base_manager.filter(pk__in=[row.pk for row, _record in plan.update])
    now = {row.pk: row for row in rows.select_for_update().order_by("pk")}
    return {
        row.pk
        for row, _record in plan.update
        if row.pk not in now or _differs(now[row.pk], _seen(plan, row))
    }


def _seen(plan: "Plan", row: Model) -> dict[str, Any]:
    """Return what the plan saw in the row; what it writes is not known where no step noted it."""
    known = plan.before.get(row.pk)
    if known is not None:
        return known
    return {name: one for name, one in row.__dict__.items() if name not in set(plan.fields)}


def _differs(now: Model, seen: dict[str, Any]) -> bool:
    """Whether a column that was read then holds something else now."""
    return any(
        _comparable(one, now.__dict__[one.attname]) != _comparable(one, seen[one.attname])
        for one in now._meta.concrete_fields
        if one.attname in seen and one.attname in now.__dict__
    )


def _comparable(stored: Any, value: Any) -> Any:
    """Return the clear value of a masked field: masks of two values may be one."""
    if not isinstance(stored, MaskedMixin):
        return value
    try:
        return stored.get_prep_value(value)
    except MaskWriteError:  # it does not open, or is no value
        return str(value)
