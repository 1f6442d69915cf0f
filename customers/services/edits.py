"""Correcting a customer."""

from collections.abc import Collection, Mapping
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, save_with_history
from backoffice.masking.edits import require_few
from backoffice.masking.fields import masked_fields
from backoffice.policy import may
from customers.models import Customer

EDITABLE: Final = frozenset(
    {"name", "email", "phone", "born", "address", "bank_account", "country"}
)


def edit_customer(
    customer: Customer, *, changes: Mapping[str, str], actor: User, reason: str = ""
) -> Customer:
    """Set the named fields; with nothing changed, nothing is written. Returns the fresh row.

    A mask equal to the present one means "unchanged". What is typed for a masked field is a change
    even where the same value stood there: else the answer would tell who guesses that they guessed
    right. The event names the fields, not the values. A change of personal data needs a reason, and
    one person makes at most BACKOFFICE_PERSONAL_EDITS_PER_HOUR edits of one customer (the history
    tells who typed it whether a value differs). Raises PermissionDenied, and ValidationError for a
    wrong value, a field that is not editable, a missing reason, too many edits or a customer
    merged into another.
    """
    if not may(actor, "change", customer):
        raise PermissionDenied
    if unknown := sorted(set(changes) - EDITABLE):
        raise ValidationError({unknown[0]: _("This cannot be changed here.")})
    with transaction.atomic():
        kept = Customer.objects.select_for_update().get(pk=customer.pk)
        if kept.erased_at is not None:
            raise ValidationError(_("This customer was erased."))
        if kept.merged_into_id:
            raise ValidationError(_("This customer was merged into another. Change that one."))
        changed = [name for name, value in changes.items() if _set(kept, name, value)]
        if changed:
            kept.full_clean()
            _require_reason(changed, reason)
            require_few(kept, actor)
            save_with_history(kept, actor=actor, reason=reason)
            context = {"fields": sorted(changed)}
            record(verbs.CHANGED, actor=actor, subject=kept, reason=reason, context=context)
    return kept


def _require_reason(changed: Collection[str], reason: str) -> None:
    """Personal data is not changed without a word why (GDPR 5(1)(d) and 5(2): right, and shown)."""
    personal = {field.name for field in masked_fields(Customer)}
    if personal.intersection(changed) and not reason.strip():
        raise ValidationError({"reason": _("Say why: personal data changes.")})


def _set(customer: Customer, name: str, value: str) -> bool:
    """Set one field and tell whether that is a change; a typed personal value always is one."""
    before = getattr(customer, name)
    setattr(customer, name, value)
    return bool(getattr(customer, name) != before)
