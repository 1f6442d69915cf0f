"""What a check must not tell: whether a masked value of a file is the one that is stored.

Whoever imports may bring any list. So of a record that exists, a value for a masked field that the
person may not reveal is compared by the run alone, which writes what differs. The check, its counts
and the difference know one state of it: a value is brought. What pages show anyway stays told:
whether there is a value at all, and a mask that comes back where it was shown.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.masking.fields import masked_fields
from backoffice.masking.values import is_mask
from backoffice.policy import codename, may
from backoffice.sheets.models import ImportJob, Status

COMPARED: Final = verbs.register(
    "sheets.compared", _("File compared with masked values"), personal="searched"
)


def fields(user: Any, model: Any) -> frozenset[str]:
    """Return the names of the masked fields of a model whose values the person may not reveal."""
    names = frozenset(field.name for field in masked_fields(model))
    return frozenset() if names and may(user, codename("reveal", model), None) else names


def is_brought(value: Any) -> bool:
    """Whether it is a value to be hidden: neither empty nor a mask."""
    return value is not None and value != "" and not (isinstance(value, str) and is_mask(value))


def brought(names: Collection[str], values: Mapping[str, Any]) -> set[str]:
    """Return which of the closed fields a record brings a value for."""
    return {name for name in names if is_brought(values.get(name))}


def status(changed: Collection[str], hidden: Collection[str]) -> Status:
    """Return what is told of a record that exists, where `hidden` are the closed fields it brings.

    `changed` are the fields that would be written, hidden ones or not.
    """
    if set(changed) - set(hidden):
        return Status.CHANGED
    return Status.BRINGS if hidden else Status.UNCHANGED


def note_compared(job: ImportJob, names: Collection[str]) -> None:
    """Put on the record that a check told somebody who has which of these values."""
    if names:
        facts = {"fields": sorted(names), "rows": job.summary.get("read", 0)}
        record(COMPARED, actor=job.owner, subject=job, context=facts)
