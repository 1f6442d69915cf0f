"""An import is no way around the cap of answers about personal values that have to be single.

A row that the database refuses tells whoever imports it that somebody has its value. Each such row
is on the record and counts (`masking.existence`); over the cap every row with a value of that kind
is left out, whether the value is taken or free.
"""

from typing import Any

from django.db.models import Model

from backoffice.masking import existence
from backoffice.sheets.formats import Record
from backoffice.sheets.problems import Problem
from backoffice.sheets.resources import Plan, Step

TOO_OFTEN = "too-often"


def touched(row: Model, fields: list[str]) -> set[str]:
    """Return the single fields that writing `fields` of a row (none: all) gives a value."""
    names = existence.single_fields(type(row))
    written = names & set(fields) if fields else names
    return {name for name in written if getattr(row, name) not in {None, ""}}


def told(actor: Any, row: Model, names: set[str]) -> bool:
    """Count that the person is told that a row is refused; return whether it was the last time."""
    if actor is None or not names:
        return False
    return existence.note(actor, type(row), names) or existence.is_over(actor)


def allowed(plan: Plan, step: Step, actor: Any) -> Plan:
    """Return the plan; over the cap without the rows that have a value of that kind."""
    if actor is None or not existence.single_fields(plan.model) or not existence.is_over(actor):
        return plan
    fields = list(plan.fields)
    out = [record for row, record in plan.create if touched(row, [])]
    out += [record for row, record in plan.update if record and touched(row, fields)]
    plan.create = [pair for pair in plan.create if not touched(pair[0], [])]
    plan.update = [pair for pair in plan.update if not touched(pair[0], fields)]
    plan.problems += [problem(step, record) for record in out]
    return plan


def problem(step: Step, record: Record) -> Problem:
    """Return what is said of a row that is left out over the cap."""
    return Problem(TOO_OFTEN, record.sheet, record.row, dataset=step.dataset)
