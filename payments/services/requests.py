"""Asking for a refund, and what follows from the decision about it.

The rule for who must approve is `REFUND_RULE`. What may be asked for is said by `splitting` (which
lines and charges, how much of them) and `choosing` (from which payment).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import registry as rules
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.services import record, save_with_history, update_where
from backoffice.jobs import services as jobs
from backoffice.money import Money
from orders.models import Order
from orders.services import reserve_line
from payments.gateways import gateways
from payments.models import Payment, Refund, RefundPart, RefundStop
from payments.queries import newest_refund
from payments.services import limits
from payments.services.choosing import beyond, choose
from payments.services.moves import VERBS, move, reserve
from payments.services.refusals import RefundRefusedError
from payments.services.splitting import Asked, split

_S = Refund.State
RUN_JOB = "payments.refund"
# An approved refund whose job got lost is taken up by the reconciler after so long.
JOB_GRACE = timedelta(seconds=60)


def request_refund(
    order: Order,
    asked: Money | Sequence[Asked],
    *,
    actor: User,
    reason: str,
    newest: int | None = None,
    payment: Payment | None = None,
) -> Refund:
    """Reserve what is asked and ask others for its approval; no money moves yet.

    `asked` names lines and charges, or is an amount for no single one. It has to fit into one
    payment of the order: `payment`, or the first that covers it. `newest` is the key of the newest
    refund of the order that the person saw (0: none): when there is a newer one, they decided on an
    old picture. Raises PermissionDenied, RefundRefusedError or orders.services.LineLimitError; then
    nothing is held.
    """
    _check_person(actor, reason)
    parts_asked = [Asked(amount=asked)] if isinstance(asked, Money) else list(asked)
    with transaction.atomic():
        payments = [one for one in _hold(order) if payment is None or one.pk == payment.pk]
        _check_newest(order, newest)
        parts = split(order, parts_asked)
        amount = Money(sum(part.amount_minor for part in parts), order.currency)
        chosen = choose(payments, amount)
        if not reserve(chosen, amount, actor=actor, reason=reason):
            raise beyond(chosen)
        for part in parts:
            thing = part.order_line or part.charge
            if thing is not None:
                reserve_line(thing, part.amount, actor=actor, reason=reason)
        limits.take(amount, maker=actor, customer=order.customer_id)
        return _ask(chosen, amount, parts, actor=actor, reason=reason)


def withdraw_refund(refund: Refund, *, actor: User) -> None:
    """Take one's own request back before it is decided, and let go of the money.

    Raises PermissionDenied for others, approvals' AlreadyDecidedError.
    """
    approvals.withdraw(_approval(refund), actor=actor)


def approve_refund(refund: Refund, *, actor: User, comment: str = "") -> None:
    """Approve; the worker sends it. Raises what `approvals.services.approve` raises."""
    approvals.approve(_approval(refund), actor=actor, comment=comment)


def reject_refund(refund: Refund, *, actor: User, comment: str) -> None:
    """Reject, and let go of the money. Raises what `approvals.services.reject` raises."""
    approvals.reject(_approval(refund), actor=actor, comment=comment)


def still_approved(refund: Refund) -> str:
    """Return why the approval of a refund does not hold any more, in words; "" when it does.

    For the moment before it is sent: the votes are counted anew, by the rights of today and the
    rule in force, what was approved is compared with what would be sent, and an approval that is
    older than a request may wait has run out.
    """
    request = refund.approval
    if request is None:
        return _("Nobody approved this.")
    request.refresh_from_db()
    if request.state != ApprovalRequest.State.EXECUTED or request.decided_at is None:
        return _("This is not approved (any more).")
    expires = rules.rule(request.kind).expires
    if timezone.now() > request.decided_at + expires:
        hours = int(expires.total_seconds() // 3600)
        return _("The approval is older than %(hours)s hours.") % {"hours": hours}
    return approvals.why_void(request)


def denials(user: Any, permission: str, rows: Sequence[Model]) -> dict[Any, str]:
    """Return which refunds a person must not decide (an own one) or take back (another's).

    For the policy, so that no page offers it; the services refuse on their own.
    """
    if permission == "payments.resume_refunds":
        why = "who stopped refunds does not let them go on"
        stops = [row for row in rows if isinstance(row, RefundStop)]
        return {row.pk: why for row in stops if row.stopped_by_id == user.pk}
    if permission not in _OWN:
        return {}
    refunds = [row for row in rows if isinstance(row, Refund)]
    mine, why = _OWN[permission]
    return {row.pk: why for row in refunds if (row.requested_by_id == user.pk) is not mine}


# permission -> whether the refund must be one's own, and the rule in words.
_OWN = {
    "payments.approve_refund": (False, "who asked for a refund does not decide it"),
    "payments.withdraw_refund": (True, "only who asked for a refund takes it back"),
}


def _approval(refund: Refund) -> ApprovalRequest:
    if refund.approval is None:
        raise PermissionDenied
    return refund.approval


def _check_person(actor: User, reason: str) -> None:
    if not actor.is_active or not actor.has_perm("payments.request_refund"):
        raise PermissionDenied
    if not reason.strip():
        raise RefundRefusedError({"reason": _("Say why.")})


def _hold(order: Order) -> list[Payment]:
    """Return the payments of the order, held until the transaction ends.

    Whoever asks for another refund of this order waits here, so that what is left can be read and
    split. The limits themselves are conditional UPDATEs. (On SQLite a transaction that writes is
    alone from its start.)
    """
    held = list(Payment.objects.select_for_update().filter(order=order).order_by("pk"))
    return sorted(held, key=lambda payment: (payment.captured_at, payment.pk))


def _check_newest(order: Order, newest: int | None) -> None:
    if newest is None:
        return
    if newest_refund(order) > newest:
        text = _("Another refund of this order was asked for meanwhile. Look at it first.")
        raise RefundRefusedError(text)


def _ask(
    payment: Payment, amount: Money, parts: list[RefundPart], *, actor: User, reason: str
) -> Refund:
    refund = Refund(
        payment=payment,
        gateway=payment.gateway,
        amount_minor=amount.minor,
        currency=amount.currency,
        reason=reason,
        requested_by=actor,
    )
    save_with_history(refund, actor=actor, reason=reason)
    for part in parts:
        part.refund = refund
    RefundPart.objects.bulk_create(parts)
    approval = approvals.ask(
        REFUND_RULE.kind,
        subject=refund,
        payload=_payload(refund),
        summary=_("Refund %(amount)s, order %(order)s")
        % {"amount": amount, "order": payment.order.number},
        reason=reason,
        actor=actor,
    )
    changes = {"approval": approval}
    update_where(refund, Q(), actor=actor, reason=reason, changes=changes)
    facts = {"amount": str(amount), "order": payment.order.number}
    record(VERBS[_S.REQUESTED], actor=actor, subject=refund, reason=reason, context=facts)
    return refund


_OF_PART = ("id", "order_line_id", "charge_id", "quantity", "amount_minor", "tax_minor")


def _payload(refund: Refund) -> dict[str, Any]:
    """Return what is approved: another amount, part or payment is another refund."""
    return {
        "refund": str(refund.number),
        "payment": refund.payment_id,
        "parts": list(refund.parts.order_by("pk").values(*_OF_PART)),
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "key": str(refund.key),
    }


def _snapshot(request: ApprovalRequest) -> dict[str, Any]:
    """Return what approvers rely on: when the refund or its payment changes, they saw another.

    Sums that other refunds of the payment move are left out: limits hold them, not this.
    """
    refund = request.record()
    if refund is None:
        return {"refund": None}
    payment = refund.payment
    return {
        **_payload(refund),
        "gateway": payment.gateway,
        "reference": payment.reference,
        "captured_minor": payment.captured_minor,
        "order": payment.order_id,
    }


def _effects(request: ApprovalRequest) -> list[rules.Effect]:
    """Return what the refund does to the sums of its payment, before and after.

    What it holds counts as gone from the moment it was asked for, as on the page of the order.
    """
    refund = request.record()
    if refund is None:
        return []
    payment, amount = refund.payment, refund.amount
    zero, held = Money(0, amount.currency), refund.state == _S.REQUESTED
    paid, left = payment.refunded, payment.refundable
    return [
        rules.Effect(_("Refunded on this payment"), str(paid), str(paid + amount)),
        rules.Effect(_("Held for this refund"), str(amount if held else zero), str(zero)),
        rules.Effect(_("Can still be refunded"), str(left), str(left)),
    ]


def _on_approved(request: ApprovalRequest) -> None:
    """Let the worker send it, once the decision is committed."""
    refund = Refund.objects.select_related("payment__order").get(approval=request)
    changes = {"decided_by": request.decided_by, "next_try_at": timezone.now() + JOB_GRACE}
    if _payload(refund) != request.payload or not move(
        refund, _S.APPROVED, actor=request.decided_by, reason=request.comment, changes=changes
    ):
        raise approvals.VoidError(_("The refund is not what was asked for any more."))
    jobs.start(
        RUN_JOB,
        actor=request.decided_by,
        title=request.summary,
        params={"refund": refund.pk},
    )


_ENDINGS = {
    ApprovalRequest.State.REJECTED: _S.REJECTED,
    ApprovalRequest.State.WITHDRAWN: _S.WITHDRAWN,
    ApprovalRequest.State.EXPIRED: _S.EXPIRED,
    ApprovalRequest.State.VOID: _S.VOID,
    ApprovalRequest.State.FAILED: _S.VOID,
}


def _on_not_approved(request: ApprovalRequest) -> None:
    """End the refund as its request ended; `move` lets go of the money that was held for it.

    That is the amount that was asked for: one that was changed since comes back first. (The
    database lets nobody change parts.)
    """
    refund = Refund.objects.get(approval=request)
    ending = _ENDINGS[ApprovalRequest.State(request.state)]
    actor = request.maker if ending is _S.WITHDRAWN else request.decided_by
    changes: dict[str, Any] = {"decided_by": request.decided_by}
    asked = request.snapshot
    if ending is _S.VOID and asked.get("refund") == str(refund.number):
        changes |= {
            "amount_minor": asked["amount_minor"],
            "currency": asked["currency"],
            "payment_id": asked["payment"],
        }
    reason = request.comment or request.outcome
    move(refund, ending, actor=actor, reason=reason, changes=changes)


BY_HAND_APPROVERS = 2


def _least(request: ApprovalRequest) -> int:
    """Ask two people where people move the money: no gateway stands between them and it."""
    refund = request.record()
    alias = refund.payment.gateway if refund is not None else ""
    by_hand = alias in gateways and gateways[alias].caps.by_hand
    return BY_HAND_APPROVERS if by_hand else 0


REFUND_RULE = rules.register(
    rules.Rule(
        kind="payments.refund",
        label=gettext_lazy("Refund"),
        permission="payments.approve_refund",
        least=_least,
        execute=_on_approved,
        on_reject=_on_not_approved,
        snapshot=_snapshot,
        effects=_effects,
        expires=timedelta(hours=72),
    )
)
