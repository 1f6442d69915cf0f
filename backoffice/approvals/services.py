"""Asking, approving, rejecting, withdrawing. One decision, by somebody else, once."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.approvals import registry
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record

ASKED = verbs.register("approvals.asked", _("Approval asked for"))
APPROVED = verbs.register("approvals.approved", _("Approved"))
REJECTED = verbs.register("approvals.rejected", _("Rejected"))
WITHDRAWN = verbs.register("approvals.withdrawn", _("Request withdrawn"))
EXPIRED = verbs.register("approvals.expired", _("Request expired"))

_State = ApprovalRequest.State


class AlreadyDecidedError(ValidationError):
    """Somebody else decided in the meantime, or the request ran out."""


def payload_hash(payload: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the payload as canonical JSON."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def ask(
    kind: str,
    *,
    subject: models.Model,
    payload: Mapping[str, Any],
    summary: str,
    reason: str,
    actor: User,
) -> ApprovalRequest:
    """Ask for a decision under the rule of `kind` and return the request.

    Raises LookupError for an unknown kind, ValidationError without a reason.
    """
    rule = registry.rule(kind)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    with transaction.atomic():
        request = ApprovalRequest.objects.create(
            kind=kind,
            subject_type=subject._meta.label_lower,
            subject_id=str(subject.pk),
            summary=summary,
            payload=dict(payload),
            payload_hash=payload_hash(payload),
            reason=reason,
            maker=actor,
            expires_at=timezone.now() + rule.expires,
        )
        record(ASKED, actor=actor, subject=subject, reason=reason, context={"request": request.pk})
    return request


def why_not(request: ApprovalRequest, user: User) -> str:
    """Return why `user` may not decide `request`, in words; empty when they may."""
    if request.state != _State.REQUESTED:
        return str(_("This was decided already."))
    if request.expires_at <= timezone.now():
        return str(_("This request ran out of time."))
    if request.maker_id == user.pk:
        return str(_("This is your own request. Somebody else must decide."))
    if not user.is_active or not user.has_perm(registry.rule(request.kind).permission):
        return str(_("Your role may not decide this."))
    return ""


def waiting_for(user: User) -> models.QuerySet[ApprovalRequest]:
    """Return the requests that `user` may decide now, oldest first."""
    kinds = [rule.kind for rule in registry.rules() if user.has_perm(rule.permission)]
    return ApprovalRequest.objects.filter(
        kind__in=kinds, state=_State.REQUESTED, expires_at__gt=timezone.now()
    ).exclude(maker=user)


def approve(request: ApprovalRequest, *, actor: User, comment: str = "") -> ApprovalRequest:
    """Approve and execute. See `_decide` for what is raised."""
    return _decide(request, _State.APPROVED, actor=actor, comment=comment)


def reject(request: ApprovalRequest, *, actor: User, comment: str) -> ApprovalRequest:
    """Reject; a comment is required. See `_decide` for what else is raised."""
    if not comment.strip():
        raise ValidationError({"comment": _("Say why you reject this.")})
    return _decide(request, _State.REJECTED, actor=actor, comment=comment)


def _decide(request: ApprovalRequest, state: str, *, actor: User, comment: str) -> ApprovalRequest:
    """Decide once.

    Raises PermissionDenied for the maker and for whoever lacks the rule's permission,
    AlreadyDecidedError when it was decided, ran out, or its payload is not what was asked.
    """
    rule = registry.rule(request.kind)
    if request.maker_id == actor.pk or not actor.is_active or not actor.has_perm(rule.permission):
        record(
            APPROVED if state == _State.APPROVED else REJECTED,
            actor=actor,
            subject=request,
            outcome=Outcome.REFUSED,
        )
        raise PermissionDenied(why_not(request, actor))
    with transaction.atomic():
        now = timezone.now()
        taken = ApprovalRequest.objects.filter(
            pk=request.pk, state=_State.REQUESTED, expires_at__gt=now
        ).update(state=state, decided_by=actor, decided_at=now, comment=comment)
        request.refresh_from_db()
        if not taken:
            raise AlreadyDecidedError(_("Somebody decided this already, or it ran out of time."))
        if payload_hash(request.payload) != request.payload_hash:
            raise AlreadyDecidedError(_("What was asked for is not what stands here now."))
        record(
            APPROVED if state == _State.APPROVED else REJECTED,
            actor=actor,
            subject=request,
            reason=comment,
            context={"kind": request.kind, "about": f"{request.subject_type} {request.subject_id}"},
        )
        (rule.execute if state == _State.APPROVED else rule.on_reject)(request)
    return request


def withdraw(request: ApprovalRequest, *, actor: User) -> ApprovalRequest:
    """Take one's own request back. Raises PermissionDenied for others."""
    if request.maker_id != actor.pk:
        raise PermissionDenied
    return _close(request, _State.WITHDRAWN, WITHDRAWN, actor=actor)


def expire_old() -> int:
    """Close the requests that ran out of time; return how many."""
    old = ApprovalRequest.objects.filter(state=_State.REQUESTED, expires_at__lte=timezone.now())
    for request in old:
        _close(request, _State.EXPIRED, EXPIRED, actor=None)
    return len(old)


def _close(
    request: ApprovalRequest, state: str, verb: str, *, actor: User | None
) -> ApprovalRequest:
    with transaction.atomic():
        taken = ApprovalRequest.objects.filter(pk=request.pk, state=_State.REQUESTED).update(
            state=state, decided_at=timezone.now()
        )
        request.refresh_from_db()
        if not taken:
            raise AlreadyDecidedError(_("Somebody decided this already."))
        record(verb, actor=actor, subject=request)
        registry.rule(request.kind).on_reject(request)
    return request
