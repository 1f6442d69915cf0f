"""Asking, approving, rejecting, withdrawing, executing. Decided by others, done once."""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import notices, registry, voters
from backoffice.approvals.canonical import digest, plain
from backoffice.approvals.models import ApprovalRequest, Vote
from backoffice.approvals.registry import Needs, Rule
from backoffice.approvals.voters import waiting_for
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.jobs import services as jobs
from backoffice.jobs.models import Job

__all__ = ["waiting_for"]

ASKED = verbs.register("approvals.asked", gettext_lazy("Approval asked for"))
APPROVED = verbs.register("approvals.approved", gettext_lazy("Approved"))
REJECTED = verbs.register("approvals.rejected", gettext_lazy("Rejected"))
WITHDRAWN = verbs.register("approvals.withdrawn", gettext_lazy("Request withdrawn"))
EXPIRED = verbs.register("approvals.expired", gettext_lazy("Request expired"))
VOIDED = verbs.register("approvals.voided", gettext_lazy("Request void"))
EXECUTED = verbs.register("approvals.executed", gettext_lazy("Approved request done"))
FAILED = verbs.register("approvals.failed", gettext_lazy("Approved request failed"))
EXECUTE_JOB = "approvals.execute"

_State = ApprovalRequest.State
_Choice = Vote.Choice
_VERBS = {_Choice.APPROVE: APPROVED, _Choice.REJECT: REJECTED}
_ENDS = {
    _State.WITHDRAWN: WITHDRAWN,
    _State.EXPIRED: EXPIRED,
    _State.VOID: VOIDED,
    _State.FAILED: FAILED,
}


class AlreadyDecidedError(ValidationError):
    """Somebody else decided in the meantime, or the request ran out."""


class VoidError(ValidationError):
    """Raised by a rule's `execute`: what was approved does not hold any more. The text says why."""


def needed(kind: str, *, subject: models.Model, payload: Mapping[str, Any]) -> Needs:
    """Return what such a request would need; 0 approvers where the rule asks nobody.

    Raises LookupError for an unknown kind.
    """
    return registry.rule(kind).needs(_request(kind, subject, payload))


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

    At least one other person decides, also where `needed` says nobody. Raises LookupError for an
    unknown kind, ValidationError without a reason, PersonalValueError for a personal value in
    payload or snapshot.
    """
    rule = registry.rule(kind)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    request = _request(kind, subject, payload)
    request.summary, request.reason, request.maker = summary, reason, actor
    request.expires_at = timezone.now() + rule.expires
    needs = rule.needs(request)
    request.approvers, request.permission = max(1, needs.approvers), needs.permission
    request.payload_hash = digest(request.payload)
    request.snapshot = plain(rule.snapshot(request))
    request.snapshot_hash = digest(request.snapshot)
    with transaction.atomic():
        request.save()
        request.excluded.set(voters.excluded(request, rule) - {actor.pk})
        facts = {"request": request.pk, "kind": kind, "payload": request.payload_hash}
        record(ASKED, actor=actor, subject=subject, reason=reason, context=facts)
        notices.asked(request)
    return request


def _request(kind: str, subject: models.Model, payload: Mapping[str, Any]) -> ApprovalRequest:
    return ApprovalRequest(
        kind=kind,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        payload=plain(payload),
    )


def why_not(request: ApprovalRequest, user: User) -> str:
    """Return why `user` may not decide `request`, in words; empty when they may."""
    return voters.ballot(request, user).why_not


def approve(request: ApprovalRequest, *, actor: User, comment: str = "") -> ApprovalRequest:
    """Vote for it; the last vote that is needed executes it (or starts the job that does).

    The request may come back void or failed: `outcome` says why. See `_vote` for what is raised.
    """
    return _vote(request, _Choice.APPROVE, actor=actor, comment=comment)


def reject(request: ApprovalRequest, *, actor: User, comment: str) -> ApprovalRequest:
    """Reject; one rejection ends it, a comment is required. See `_vote` for what else is raised."""
    if not comment.strip():
        raise ValidationError({"comment": _("Say why you reject this.")})
    return _vote(request, _Choice.REJECT, actor=actor, comment=comment)


def _vote(
    request: ApprovalRequest, choice: Vote.Choice, *, actor: User, comment: str
) -> ApprovalRequest:
    """Count one person once.

    Raises PermissionDenied for the maker and whoever else may not, AlreadyDecidedError when it was
    decided or ran out.
    """
    rule = registry.rule(request.kind)
    request.refresh_from_db()  # what a page showed may be old
    _refuse(request, actor, choice)
    with transaction.atomic():
        if not _take(request, Q(state=_State.REQUESTED, expires_at__gt=timezone.now())):
            raise AlreadyDecidedError(_("Somebody decided this already, or it ran out of time."))
        if why := _broken(request, rule):
            return _end(request, _State.VOID, actor=actor, outcome=why)
        seat = _refuse(request, actor, choice)
        _count(request, choice, actor=actor, seat=seat, comment=comment)
        if choice is _Choice.REJECT:
            _decide(request, _State.REJECTED, actor=actor, comment=comment)
            rule.on_reject(request)
            notices.ended(request, actor=actor)
        elif len(voters.counting(request, rule)) >= voters.needs(request, rule).approvers:
            _decide(request, _State.APPROVED, actor=actor, comment=comment)
            _start(request, rule, actor=actor)
    return request


def _refuse(request: ApprovalRequest, actor: User, choice: Vote.Choice) -> User:
    """Return the seat of the person; raise, and put it on the record, when they have none."""
    ballot = voters.ballot(request, actor)
    if ballot.seat is not None:
        return ballot.seat
    if ballot.decided:
        raise AlreadyDecidedError(ballot.why_not)
    record(_VERBS[choice], actor=actor, subject=request, outcome=Outcome.REFUSED)
    raise PermissionDenied(ballot.why_not)


def _take(request: ApprovalRequest, condition: Q) -> bool:
    """Hold the request against everybody else until the transaction ends, if it meets this."""
    held = ApprovalRequest.objects.filter(condition, pk=request.pk).update(
        revision=F("revision") + 1
    )
    request.refresh_from_db()
    return bool(held)


def _broken(request: ApprovalRequest, rule: Rule) -> str:
    """Return why the request does not hold any more: it, or what it is about, was changed."""
    if digest(request.payload) != request.payload_hash:
        return _("What was asked for was changed afterwards.")
    now = plain(rule.snapshot(request))
    if digest(now) == request.snapshot_hash:
        return ""
    names = {*now, *request.snapshot}
    changed = sorted(name for name in names if now.get(name) != request.snapshot.get(name))
    return _("The record was changed since this was asked for: %(names)s.") % {
        "names": ", ".join(changed) or _("its facts")
    }


def _count(
    request: ApprovalRequest, choice: Vote.Choice, *, actor: User, seat: User, comment: str
) -> None:
    Vote.objects.create(
        request=request,
        voter=actor,
        seat=seat,
        maker_id=request.maker_id,
        choice=choice,
        comment=comment,
    )
    facts = {
        "kind": request.kind,
        "about": f"{request.subject_type} {request.subject_id}",
        "payload": request.payload_hash,
        **({"in_place_of": seat.get_username()} if seat != actor else {}),
    }
    record(_VERBS[choice], actor=actor, subject=request, reason=comment, context=facts)


def _decide(request: ApprovalRequest, state: str, *, actor: User, comment: str) -> None:
    values = {"state": state, "decided_by": actor, "decided_at": timezone.now()}
    ApprovalRequest.objects.filter(pk=request.pk).update(**values, comment=comment)
    request.refresh_from_db()


def _start(request: ApprovalRequest, rule: Rule, *, actor: User) -> None:
    if not rule.slow:
        execute(request)
        return
    params = {"request": request.pk}
    job = jobs.start(EXECUTE_JOB, actor=actor, title=request.summary, params=params)
    ApprovalRequest.objects.filter(pk=request.pk).update(job=job)
    request.refresh_from_db()


def execute(
    request: ApprovalRequest, *, before_commit: Callable[[], None] | None = None
) -> ApprovalRequest:
    """Do what was approved; whoever comes second finds nothing to do.

    Everything is asked again first: hashes, and that enough of the votes still count. Effect and
    state are one transaction, in which `before_commit` (a job's fence) is called last. Errors
    other than ValidationError pass, with nothing changed.
    """
    rule = registry.rule(request.kind)
    with transaction.atomic():
        if not _take(request, Q(state=_State.APPROVED, started_at=None)):
            return request
        ApprovalRequest.objects.filter(pk=request.pk).update(started_at=timezone.now())
        if why := why_void(request):
            _end(request, _State.VOID, actor=None, outcome=why)
        else:
            _do(request, rule)
        if before_commit is not None:
            before_commit()
    return request


def why_void(request: ApprovalRequest) -> str:
    """Return why what was voted for does not hold now, in words; "" when it does.

    The facts are read anew, and only votes count whose people still have the right. For those who
    carry out later what was approved.
    """
    rule = registry.rule(request.kind)
    if why := _broken(request, rule):
        return why
    if len(voters.counting(request, rule)) < voters.needs(request, rule).approvers:
        return _("An approver lost the right to approve this.")
    return ""


def _do(request: ApprovalRequest, rule: Rule) -> None:
    try:
        with transaction.atomic():
            rule.execute(request)
    except VoidError as error:
        _end(request, _State.VOID, actor=None, outcome=" ".join(error.messages))
        return
    except ValidationError as error:
        _end(request, _State.FAILED, actor=None, outcome=" ".join(error.messages))
        return
    ApprovalRequest.objects.filter(pk=request.pk).update(
        state=_State.EXECUTED, executed_at=timezone.now()
    )
    request.refresh_from_db()
    record(EXECUTED, actor=request.decided_by, subject=request, context={"kind": request.kind})
    notices.ended(request, actor=request.decided_by)


def withdraw(request: ApprovalRequest, *, actor: User) -> ApprovalRequest:
    """Take one's own request back. Raises PermissionDenied for others, AlreadyDecidedError."""
    if request.maker_id != actor.pk:
        raise PermissionDenied
    with transaction.atomic():
        if not _take(request, Q(state=_State.REQUESTED)):
            raise AlreadyDecidedError(_("Somebody decided this already."))
        return _end(request, _State.WITHDRAWN, actor=actor)


def void(request: ApprovalRequest, *, why: str) -> bool:
    """End an undecided request, since what people would decide on is not so any more.

    `why` is told to them. False, with nothing changed, where it was decided meanwhile.
    """
    return bool(_close(request, Q(state=_State.REQUESTED), _State.VOID, outcome=why))


def expire_old() -> int:
    """Close the requests that ran out of time; return how many."""
    old = Q(state=_State.REQUESTED, expires_at__lte=timezone.now())
    return sum(_close(request, old, _State.EXPIRED) for request in _found(old))


def fail_stranded() -> int:
    """Close approved requests whose job ended without doing them; return how many."""
    over = Q(job__isnull=True) | Q(job__state__in=(Job.State.FAILED, Job.State.CANCELLED))
    stranded = Q(state=_State.APPROVED)
    why = _("Its job ended before it was done. Ask again.")
    return sum(
        _close(request, stranded, _State.FAILED, outcome=why) for request in _found(stranded & over)
    )


def _found(condition: Q) -> list[ApprovalRequest]:
    kinds = [rule.kind for rule in registry.rules()]
    return list(ApprovalRequest.objects.filter(condition, kind__in=kinds))


def _close(request: ApprovalRequest, condition: Q, state: str, outcome: str = "") -> int:
    with transaction.atomic():
        if not _take(request, condition):
            return 0
        _end(request, state, actor=None, outcome=outcome)
    return 1


def _end(
    request: ApprovalRequest, state: str, *, actor: User | None, outcome: str = ""
) -> ApprovalRequest:
    """End a request that this transaction holds without its execution."""
    ApprovalRequest.objects.filter(pk=request.pk).update(
        state=state, outcome=outcome, decided_at=request.decided_at or timezone.now()
    )
    request.refresh_from_db()
    bad = Outcome.FAILED if state == _State.FAILED else Outcome.DONE
    facts = {"kind": request.kind, **({"why": outcome} if outcome else {})}
    record(_ENDS[_State(state)], actor=actor, subject=request, outcome=bad, context=facts)
    registry.rule(request.kind).on_reject(request)
    notices.ended(request, actor=actor)
    return request
