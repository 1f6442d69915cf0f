"""An import is no way around the cap of answers about personal values that have to be single.

A row that the database refuses tells whoever imports it that somebody has its value. Each such row
is on the record and counts (`masking.existence`); over the cap every row with a value of that kind
is left out, whether the value is taken or free.
"""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
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


class Asked:
    """The same for rows that a Resource imports one by one; `columns` is header -> field."""

    def __init__(self, model: type[Model], columns: Mapping[str, str], actor: Any) -> None:
        self._model, self._actor = model, actor
        single = existence.single_fields(model)
        self._columns = {key: name for key, name in columns.items() if name in single}

    def _brought(self, row: Mapping[str, Any]) -> set[str]:
        return {name for key, name in self._columns.items() if row.get(key) not in {None, ""}}

    def are_closed(self, row: Mapping[str, Any]) -> bool:
        """Whether the row brings such a value, and the person was told often enough."""
        asks = self._actor is not None and self._brought(row)
        return bool(asks and existence.is_over(self._actor))

    def told(
        self, row: Mapping[str, Any], error: ValidationError | None, *, refused: bool
    ) -> set[str]:
        """Return the fields of which a refusal (by the database, by validation) may tell."""
        names = self._brought(row)
        if not names or refused or error is None:
            return names if refused else set()
        groups = getattr(error, "error_dict", None) or {"": error.error_list}
        said = (one for group in groups.values() for one in group)
        return names if any(existence.tells(one, self._model) for one in said) else set()

    def note(self, names: set[str]) -> None:
        """Count that the person was told; outside of the transaction of the rows."""
        if names and self._actor is not None:
            existence.note(self._actor, self._model, names)
