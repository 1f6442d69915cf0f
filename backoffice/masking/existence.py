"""Whether a value that has to be single is taken already: an answer about somebody else's data.

A unique constraint cannot but tell it. So the words name neither value nor record, each such
answer is on the record, and after a number of them in a day the person gets none any more: every
change of such a field is refused, whether the value is taken or free.
"""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import rates
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.masking.fields import masked_fields

TOLD = verbs.register(
    "masking.taken", _("Told that a personal value is taken"), personal="searched"
)
RATE = "taken"
CODE = "unique"
CANNOT_BE_USED = _(
    "This value cannot be used. If you look for a record that has it, use the search of the list; "
    "your try is on the record."
)
TOO_OFTEN = _("Too many values that cannot be used. Try again tomorrow.")


def single_fields(model: type[Model]) -> set[str]:
    """Return the names of the masked fields whose value no two rows share."""
    names = {field.name for field in masked_fields(model) if field.search}
    found = {field.name for field in masked_fields(model) if field.unique}
    for constraint in model._meta.constraints:
        parts = {name.removesuffix("_index") for name in getattr(constraint, "fields", ())}
        found |= parts & names
    return found


def tells(error: ValidationError, model: type[Model] | None) -> bool:
    """Say whether a single error of a validation tells that a personal value is taken.

    `model` is asked where the error does not name the model that it is about.
    """
    if error.code not in {CODE, "unique_together"}:
        return False
    facts = error.params or {}
    about = facts.get("model_class") or model
    single = single_fields(about) if about else set()
    parts = {part.removesuffix("_index") for part in facts.get("unique_check", ())}
    return bool(parts & single if parts else single)


def is_over(actor: Any) -> bool:
    """Say whether the person got as many such answers today as anybody gets."""
    return rates.is_spent(RATE, actor.pk)


def note(actor: Any, model: type[Model] | None, fields: Iterable[str]) -> bool:
    """Count and record that the person was told; return whether it was once too often."""
    facts = {"fields": sorted(fields)}
    record(TOLD, actor=actor, subject=model, outcome=Outcome.REFUSED, context=facts)
    try:
        rates.spend(RATE, actor.pk, actor=actor)
    except rates.TooManyError:
        return True
    return False
