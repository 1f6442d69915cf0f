"""Two people with evidence say what became of a refund that the machine cannot end.

That is a refund that "needs review", and one that waits for people because they move its money
themselves. One proposes what happened, with the gateway's reference and a file; another agrees;
neither of them asked for the refund. Only then it moves, by the same way as all refunds.
"""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import registry as rules
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from payments.gateways import gateways
from payments.models import Evidence, Refund, RefundAttempt
from payments.models.payment import REFERENCE
from payments.services import evidence
from payments.services.evidence import Inspected
from payments.services.moves import move
from payments.states import RefundState

KIND = "payments.review"
# The slowest of banks is done by then; the machine goes on looking beside the people.
PENDING_TOO_LONG = timedelta(days=10)
_S = RefundState
OUTCOMES = {_S.SUCCEEDED: gettext_lazy("The money went out"), _S.FAILED: gettext_lazy("It did not")}


def is_reviewable(refund: Refund) -> bool:
    """Say whether people may say now what became of this refund.

    Of one that the gateway accepted too long ago as well: its last word may have been lost.
    """
    if refund.state == _S.NEEDS_REVIEW:
        return True
    if refund.state != _S.PENDING:
        return False
    return is_by_hand(refund.gateway) or (refund.sent_at or refund.created_at) <= pending_since()


def is_by_hand(gateway: str) -> bool:
    """Say whether people move the money of this gateway themselves."""
    return gateway in gateways and gateways[gateway].caps.by_hand


def pending_since() -> datetime:
    """Return the moment: what was sent before it and is pending still is for people as well."""
    return timezone.now() - PENDING_TOO_LONG


def open_review(refund: Refund) -> ApprovalRequest | None:
    """Return the proposal that waits for a second person; None without one."""
    waiting = ApprovalRequest.objects.filter(
        kind=KIND,
        subject_type=refund._meta.label_lower,
        subject_id=str(refund.pk),
        state=ApprovalRequest.State.REQUESTED,
    )
    return waiting.select_related("maker").first()


def why_not(refund: Refund, actor: User) -> str:
    """Return why this person cannot propose now, in words; "" when they can."""
    if refund.requested_by_id == actor.pk:
        return _("You asked for this refund. Two others say what became of it.")
    if not is_reviewable(refund):
        return _("This refund does not wait for people.")
    if open_review(refund) is not None:
        return _("Somebody proposed already what became of it; it waits for a second person.")
    return ""


def propose(
    refund: Refund,
    outcome: str,
    *,
    file: Inspected,
    reference: str,
    reason: str,
    actor: User,
) -> ApprovalRequest:
    """Say what became of a refund, with a file (from `evidence.inspect`), and ask another person.

    `outcome` is "succeeded" or "failed"; what succeeded has the gateway's (or bank's) reference.
    Raises PermissionDenied, ValidationError; nothing is kept then.
    """
    if not actor.is_active or not actor.has_perm("payments.review_refund"):
        raise PermissionDenied
    if why := why_not(refund, actor):
        raise ValidationError(why)
    reference = reference.strip()
    _check(refund, outcome, reference, reason)
    with transaction.atomic():
        # Of two at once the second waits for the row, and then sees the proposal of the first.
        held = Refund.objects.select_for_update().get(pk=refund.pk)
        if why := why_not(held, actor):
            raise ValidationError(why)
        kept = evidence.keep(file, name=f"{refund.code}-evidence", actor=actor)
        return approvals.ask(
            KIND,
            subject=held,
            payload={
                "refund": str(held.number),
                "outcome": outcome,
                "reference": reference,
                "evidence": str(kept.public_id),
                "sha256": kept.sha256,
            },
            summary=_("%(refund)s, %(amount)s: %(outcome)s")
            % {"refund": held.code, "amount": held.amount, "outcome": OUTCOMES[_S(outcome)]},
            reason=reason,
            actor=actor,
        )


def _check(refund: Refund, outcome: str, reference: str, reason: str) -> None:
    if outcome not in OUTCOMES:
        raise ValidationError({"outcome": _("Say whether the money went out.")})
    if not reason.strip():
        raise ValidationError({"reason": _("Say what you looked at.")})
    if outcome == _S.FAILED:
        return
    if not reference:
        raise ValidationError({"reference": _("Give the reference of the gateway or bank.")})
    _check_reference(refund, reference)


def _check_reference(refund: Refund, reference: str) -> None:
    others = Refund.objects.filter(gateway=refund.gateway, gateway_ref=reference)
    if reference and others.exclude(pk=refund.pk).exists():
        raise ValidationError({"reference": _("Another refund has this reference.")})


def evidence_of(request: ApprovalRequest) -> Evidence | None:
    """Return the file of a proposal."""
    return Evidence.objects.filter(public_id=request.payload.get("evidence")).first()


def reviews_of(refund: Refund) -> list[ApprovalRequest]:
    """Return all proposals about a refund, newest first."""
    about = {"subject_type": refund._meta.label_lower, "subject_id": str(refund.pk)}
    found = ApprovalRequest.objects.filter(kind=KIND, **about).order_by("-pk")
    return list(found.select_related("maker", "decided_by"))


def _snapshot(request: ApprovalRequest) -> dict[str, Any]:
    """Return what the second person relies on: the refund as it stood, and the same file."""
    refund, kept = request.record(), evidence_of(request)
    if refund is None:
        return {"refund": None}
    return {
        "refund": str(refund.number),
        "payment": refund.payment_id,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "state": refund.state,
        "evidence": kept.sha256 if kept is not None else None,
    }


def _excluded(request: ApprovalRequest) -> list[int | None]:
    """Return who asked for the refund."""
    refund = request.record()
    return [refund.requested_by_id] if refund is not None else []


def _effects(request: ApprovalRequest) -> list[rules.Effect]:
    refund = request.record()
    if refund is None:
        return []
    after = _S(request.payload["outcome"])
    held = str(refund.amount)
    free = str(refund.amount * 0)
    return [
        rules.Effect(_("State"), refund.get_state_display(), str(after.label)),
        rules.Effect(_("Held of the payment"), held, held if after is _S.SUCCEEDED else free),
        rules.Effect(_("Reference"), refund.gateway_ref, str(request.payload["reference"])),
    ]


def _on_agreed(request: ApprovalRequest) -> None:
    refund = Refund.objects.select_related("payment__order").get(pk=request.subject_id)
    told, reference = _S(request.payload["outcome"]), request.payload["reference"]
    _check_reference(refund, reference)
    changes: dict[str, Any] = {"answer": _("Two people said so, with evidence")}
    if reference:
        changes["gateway_ref"] = reference[:REFERENCE]
    moved = move(
        refund,
        told,
        actor=request.decided_by,
        reason=request.comment or request.reason,
        only=Q(state=request.snapshot["state"]),
        changes=changes,
        context={"evidence": request.payload["sha256"], "proposed_by": request.maker_id},
    )
    if not moved:
        raise approvals.VoidError(_("The refund is not where it was any more."))
    RefundAttempt.objects.create(
        refund=refund,
        kind=RefundAttempt.Kind.BY_HAND,
        outcome=told.value,
        reference=reference[:REFERENCE],
        message=str(OUTCOMES[told]),
        raw={"evidence": request.payload["sha256"], "approval": request.pk},
    )


REVIEW_RULE = rules.register(
    rules.Rule(
        kind=KIND,
        label=gettext_lazy("What became of a refund"),
        permission="payments.review_refund",
        execute=_on_agreed,
        snapshot=_snapshot,
        effects=_effects,
        excluded=_excluded,
        excluded_label=gettext_lazy("who asked for the refund"),
        expires=timedelta(days=7),
        delegable=False,
    )
)
