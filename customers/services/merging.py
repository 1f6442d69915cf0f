"""Two customers who are one person: asked for, approved by somebody else, done once, undoable.

The one that goes stays as a row that points to the one that is kept: its number and values are
still found. All that belongs to it moves (see `belongings`), each row with its history.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import registry as rules
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.services import record, save_with_history
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.models import Grant
from backoffice.masking.services import end_grant
from backoffice.policy import may
from customers.models import Customer, CustomerMerge
from customers.services import belongings
from customers.services.edits import EDITABLE

MERGED = verbs.register("customers.merged", gettext_lazy("Customers merged"))
UNDONE = verbs.register("customers.merge_undone", gettext_lazy("Merge of customers undone"))
FIELDS: Final = tuple(
    field.name for field in Customer._meta.concrete_fields if field.name in EDITABLE
)
"""The fields of which one of the two values stays, in the order of the model."""
_ERASED: Final = gettext_lazy("One of the two was erased.")
DENIED: Final = gettext_lazy("a customer who was merged into another is not changed")
_State = CustomerMerge.State
_ASK, _CHANGE = "customers.merge_customer", "customers.change_customer"


def request_merge(
    kept: Customer, gone: Customer, *, taken: Collection[str], actor: User, reason: str
) -> CustomerMerge:
    """Ask a second person to merge `gone` into `kept`; nothing moves yet.

    `taken` are the fields whose value comes from `gone`. Raises PermissionDenied, and
    ValidationError for the same customer twice, one merged already or asked for already, an
    unknown field, or no reason.
    """
    if not (may(actor, _ASK, kept) and may(actor, _ASK, gone)):
        raise PermissionDenied
    if unknown := sorted(set(taken) - set(FIELDS)):
        raise ValidationError(_("%(name)s cannot be chosen.") % {"name": unknown[0]})
    if kept.pk == gone.pk:
        raise ValidationError(_("These are one customer already."))
    with transaction.atomic():
        pair = _locked(kept, gone)
        _require_free(*pair)
        chosen = [name for name in FIELDS if name in taken]
        merge = CustomerMerge.objects.create(
            kept=pair[0], gone=pair[1], taken=chosen, requested_by=actor
        )
        merge.approval = _ask_for(merge, MERGE_RULE, actor=actor, reason=reason)
        merge.save(update_fields=["approval"])
    return merge


def request_undo(merge: CustomerMerge, *, actor: User, reason: str) -> ApprovalRequest:
    """Ask a second person to take the merge back. Raises PermissionDenied, ValidationError."""
    if not may(actor, _ASK, merge.kept):
        raise PermissionDenied
    with transaction.atomic():
        held = CustomerMerge.objects.select_for_update(of=("self",)).get(pk=merge.pk)
        if held.state != _State.MERGED or _is_open(held.undo_approval):
            raise ValidationError(_("There is nothing to undo, or it was asked for already."))
        held.undo_approval = _ask_for(held, UNDO_RULE, actor=actor, reason=reason)
        held.save(update_fields=["undo_approval"])
    return held.undo_approval


def denials(user: Any, permission: str, rows: Sequence[Model]) -> dict[Any, str | Promise]:
    """Return which customers are not changed any more, since another one stands for them."""
    if permission not in {_ASK, _CHANGE}:
        return {}
    customers = [row for row in rows if isinstance(row, Customer)]
    return {row.pk: DENIED for row in customers if row.merged_into_id}


def _locked(kept: Customer, gone: Customer) -> tuple[Customer, Customer]:
    """Return both rows, locked in the order of their keys: two that cross wait, none deadlocks."""
    rows = Customer.objects.select_for_update().order_by("pk")
    held = {row.pk: row for row in rows.filter(pk__in=(kept.pk, gone.pk))}
    return held[kept.pk], held[gone.pk]


def _require_free(*customers: Customer) -> None:
    for customer in customers:
        if customer.merged_into_id:
            text = _("Customer %(number)s was merged into another already.")
            raise ValidationError(text % {"number": customer.number})
    if _is_erased(*customers):
        raise ValidationError(_ERASED)
    waiting = CustomerMerge.objects.filter(state=_State.REQUESTED)
    if waiting.filter(Q(kept__in=customers) | Q(gone__in=customers)).exists():
        raise ValidationError(_("A merge of one of them waits for a decision already."))


def _is_erased(*customers: Customer) -> bool:
    return any(customer.erased_at is not None for customer in customers)


def _is_open(approval: ApprovalRequest | None) -> bool:
    return approval is not None and approval.state in {
        ApprovalRequest.State.REQUESTED,
        ApprovalRequest.State.APPROVED,
    }


def _ask_for(
    merge: CustomerMerge, rule: rules.Rule, *, actor: User, reason: str
) -> ApprovalRequest:
    numbers = {"gone": merge.gone.number, "kept": merge.kept.number}
    undo = rule is UNDO_RULE
    text = (
        _("Undo the merge of customer %(gone)s into %(kept)s")
        if undo
        else _("Merge customer %(gone)s into %(kept)s")
    )
    return approvals.ask(
        rule.kind,
        subject=merge,
        payload={"merge": merge.pk, "taken": merge.taken, **numbers},
        summary=text % numbers,
        reason=reason,
        actor=actor,
    )


def version(customer: Customer) -> int:
    """Return the key of the newest row of the customer's history; 0 without one."""
    keys = customer.history.order_by("-history_id").values_list("history_id", flat=True)
    return int(keys.first() or 0)


def _merge_of(request: ApprovalRequest) -> CustomerMerge | None:
    found = CustomerMerge.objects.select_related("kept", "gone")
    return found.filter(pk=request.subject_id).first()


def _facts(merge: CustomerMerge) -> dict[str, Any]:
    """Return what approvers rely on: another value in one of the two is another merge."""
    return {
        "kept": version(merge.kept),
        "gone": version(merge.gone),
        "kept_into": merge.kept.merged_into_id,
        "gone_into": merge.gone.merged_into_id,
        "erased": _is_erased(merge.kept, merge.gone),
        "state": merge.state,
        "taken": merge.taken,
    }


def _snapshot(request: ApprovalRequest) -> dict[str, Any]:
    merge = _merge_of(request)
    return {"merge": None} if merge is None else _facts(merge)


def _undo_snapshot(request: ApprovalRequest) -> dict[str, Any]:
    """Return what an undo rests on; a value changed since stays, so versions do not count."""
    facts = _snapshot(request)
    return {name: value for name, value in facts.items() if name not in {"kept", "gone"}}


def _effects(request: ApprovalRequest) -> list[rules.Effect]:
    """Return what stands at the one that is kept, before and after; masks as everywhere."""
    merge = _merge_of(request)
    if merge is None:
        return []
    kept, gone = merge.kept, merge.gone
    label = _("Customer %(number)s") % {"number": gone.number}
    leads = _("leads to customer %(number)s") % {"number": kept.number}
    lines = [rules.Effect(label, _("a customer"), leads)]
    for name in merge.taken:
        label = capfirst(str(Customer._meta.get_field(name).verbose_name))  # type: ignore[union-attr]
        before, after = (str(getattr(row, name) or "\N{EN DASH}") for row in (kept, gone))
        lines.append(rules.Effect(label, before, after))
    for (label, mine), (_same, others) in zip(
        belongings.counts(kept), belongings.counts(gone), strict=True
    ):
        lines.append(rules.Effect(label, str(mine), str(mine + others)))
    return lines


def _undo_effects(request: ApprovalRequest) -> list[rules.Effect]:
    """Return what an undo gives back; a value that was changed since stays as it is."""
    merge = _merge_of(request)
    if merge is None:
        return []
    label = _("Customer %(number)s") % {"number": merge.gone.number}
    leads = _("leads to customer %(number)s") % {"number": merge.kept.number}
    lines = [rules.Effect(label, leads, _("a customer of its own"))]
    present = {name: str(getattr(merge.kept, name) or "\N{EN DASH}") for name in merge.taken}
    stay = _restore(merge)  # in memory: the row is not saved
    for name in merge.taken:
        label = capfirst(str(Customer._meta.get_field(name).verbose_name))  # type: ignore[union-attr]
        after = present[name] if name in stay else str(getattr(merge.kept, name) or "\N{EN DASH}")
        lines.append(rules.Effect(label, present[name], after))
    for label, count in belongings.words(merge.moved):
        lines.append(rules.Effect(label, "", _("%(count)s go back") % {"count": count}))
    return lines


def _carry_out(request: ApprovalRequest) -> None:
    """Merge, with both rows locked; what the approver saw is compared once more under the lock."""
    merge = CustomerMerge.objects.select_for_update(of=("self",)).get(approval=request)
    merge.kept, merge.gone = _locked(merge.kept, merge.gone)
    if _is_erased(merge.kept, merge.gone):
        raise approvals.VoidError(_ERASED)
    if _facts(merge) != request.snapshot:
        raise approvals.VoidError(_("One of the two was changed since this was asked for."))
    actor, reason = request.decided_by, request.summary
    merge.before = version(merge.kept)
    for name in merge.taken:
        setattr(merge.kept, name, getattr(merge.gone, name))
    save_with_history(merge.kept, actor=actor, reason=reason)
    merge.after = version(merge.kept)
    merge.gone.merged_into = merge.kept
    save_with_history(merge.gone, actor=actor, reason=reason)
    merge.moved = belongings.move(merge.gone, merge.kept, actor=actor, reason=reason)
    _end_grants(merge.gone, reason=reason)
    _end_if_masked(merge.kept, merge.taken, reason=reason)
    merge.state, merge.merged_at = _State.MERGED, timezone.now()
    merge.save()
    _record(MERGED, merge, actor, merge.moved)


def _end_grants(customer: Customer, *, reason: str) -> None:
    """End who was let in to the customer: nobody agreed to the other one's values."""
    kind = ContentType.objects.get_for_model(Customer)
    for grant in Grant.objects.live().filter(content_type=kind, object_id=str(customer.pk)):
        end_grant(grant, actor=None, reason=reason)


def _end_if_masked(kept: Customer, changed: Collection[str], *, reason: str) -> None:
    """End who was let in to the one that is kept where values of the other came in or went."""
    if any(isinstance(Customer._meta.get_field(name), MaskedMixin) for name in changed):
        _end_grants(kept, reason=reason)


def _undo(request: ApprovalRequest) -> None:
    """Take back exactly what was done, but for what was changed since; that is listed."""
    merge = CustomerMerge.objects.select_for_update(of=("self",)).get(undo_approval=request)
    kept, gone = merge.kept, merge.gone = _locked(merge.kept, merge.gone)
    if _is_erased(kept, gone):
        raise approvals.VoidError(_ERASED)
    if merge.state != _State.MERGED or gone.merged_into_id != kept.pk or kept.merged_into_id:
        raise approvals.VoidError(
            _("The merge does not stand as it was. If the customer was merged again, undo that.")
        )
    actor, reason = request.decided_by, request.summary
    fields = _restore(merge)
    save_with_history(kept, actor=actor, reason=reason)
    _end_if_masked(kept, set(merge.taken) - set(fields), reason=reason)
    gone.merged_into = None
    save_with_history(gone, actor=actor, reason=reason)
    stayed = belongings.move_back(merge.moved, gone=gone, kept=kept, actor=actor, reason=reason)
    merge.stayed = {**({"fields": fields} if fields else {}), **stayed}
    merge.state, merge.undone_at = _State.UNDONE, timezone.now()
    merge.save()
    _record(UNDONE, merge, actor, merge.stayed)


def _restore(merge: CustomerMerge) -> list[str]:
    """Give the kept one its former values; return the fields that were changed since and stay."""
    past = merge.kept.history.in_bulk([merge.before, merge.after])
    before, after = past.get(merge.before), past.get(merge.after)
    stay = []
    for name in merge.taken:
        if before and after and getattr(merge.kept, name) == getattr(after, name):
            setattr(merge.kept, name, getattr(before, name))
        else:
            stay.append(name)
    return stay


def _record(verb: str, merge: CustomerMerge, actor: Any, keys: belongings.Keys) -> None:
    """Put it on the record of both, with how many rows; the keys stand in the merge.

    No numbers: one may be an address, which an erasure replaces, and events stay as they are.
    """
    facts = {"merge": merge.pk, "rows": {label: len(found) for label, found in keys.items()}}
    record(verb, actor=actor, subject=merge.kept, also=[merge.gone], context=facts)


def _dropped(request: ApprovalRequest) -> None:
    waiting = CustomerMerge.objects.filter(approval=request, state=_State.REQUESTED)
    waiting.update(state=_State.DROPPED)


MERGE_RULE = rules.register(
    rules.Rule(
        kind="customers.merge",
        label=gettext_lazy("Merge of two customers"),
        permission="customers.approve_merge",
        execute=_carry_out,
        on_reject=_dropped,
        snapshot=_snapshot,
        effects=_effects,
        expires=timedelta(hours=72),
    )
)
UNDO_RULE = rules.register(
    rules.Rule(
        kind="customers.unmerge",
        label=gettext_lazy("Undo of a merge"),
        permission="customers.approve_merge",
        execute=_undo,
        snapshot=_undo_snapshot,
        effects=_undo_effects,
        expires=timedelta(hours=72),
    )
)
