"""Asking for a refund, and what follows from the decision about it.

The rule for who must approve is `REFUND_RULE`; what may be asked for is `_check`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
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
from orders.models import Order, OrderLine
from orders.services import reserve_line
from payments.gateways import gateways
from payments.models import Payment, Refund
from payments.queries import payment_for
from payments.services.moves import VERBS, move, reserve

_S = Refund.State
RUN_JOB = "payments.refund"
# An approved refund whose job got lost is taken up by the reconciler after so long.
JOB_GRACE = timedelta(seconds=60)


class RefundRefusedError(ValidationError):
    """The refund may not be asked for; the text says why and how much may be."""


def request_refund(
    order: Order,
    amount: Money,
    *,
    actor: User,
    reason: str,
    line: OrderLine | None = None,
) -> Refund:
    """Reserve `amount` and ask a second person for its refund; no money moves yet.

    With `line`, no more than is left of that line. Raises PermissionDenied, RefundRefusedError or
    orders.services.LineLimitError; then nothing is held.
    """
    _check(order, amount, actor=actor, reason=reason, line=line)
    payment = payment_for(order, amount)
    if payment is None:
        raise RefundRefusedError({"amount": _("No payment of this order was captured here.")})
    _check_gateway(payment, amount)
    with transaction.atomic():
        if not reserve(payment, amount, actor=actor, reason=reason):
            raise _beyond(payment)
        if line is not None:
            reserve_line(line, amount, actor=actor, reason=reason)
        return _ask(payment, amount, actor=actor, reason=reason, line=line)


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


def denials(user: Any, permission: str, rows: Sequence[Model]) -> dict[Any, str]:
    """Return which refunds a person must not decide (an own one) or take back (another's).

    For the policy, so that no page offers it; the services refuse on their own.
    """
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


def _check(
    order: Order, amount: Money, *, actor: User, reason: str, line: OrderLine | None
) -> None:
    if not actor.is_active or not actor.has_perm("payments.request_refund"):
        raise PermissionDenied
    if not reason.strip():
        raise RefundRefusedError({"reason": _("Say why.")})
    if amount.minor <= 0:
        raise RefundRefusedError({"amount": _("The amount must be more than nothing.")})
    if line is not None and line.order_id != order.pk:
        raise RefundRefusedError({"line": _("This line belongs to another order.")})


def _check_gateway(payment: Payment, amount: Money) -> None:
    if payment.gateway not in gateways:
        raise RefundRefusedError(_("The gateway of this payment is not set up any more."))
    if not gateways[payment.gateway].caps.partial and amount != payment.captured:
        raise RefundRefusedError({"amount": _("This gateway refunds whole payments only.")})


def _beyond(payment: Payment) -> RefundRefusedError:
    payment.refresh_from_db()
    message = _("Only %(left)s can still be refunded.") % {"left": payment.refundable}
    return RefundRefusedError({"amount": message})


def _ask(
    payment: Payment, amount: Money, *, actor: User, reason: str, line: OrderLine | None
) -> Refund:
    refund = Refund(
        payment=payment,
        order_line=line,
        amount_minor=amount.minor,
        currency=amount.currency,
        reason=reason,
        requested_by=actor,
    )
    save_with_history(refund, actor=actor, reason=reason)
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


def _payload(refund: Refund) -> dict[str, Any]:
    """Return what is approved: another amount or payment is another refund."""
    return {
        "refund": str(refund.number),
        "payment": refund.payment_id,
        "line": refund.order_line_id,
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

    That is the amount that was asked for: one that was changed since comes back first.
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
            "order_line_id": asked["line"],
        }
    reason = request.comment or request.outcome
    move(refund, ending, actor=actor, reason=reason, changes=changes)


REFUND_RULE = rules.register(
    rules.Rule(
        kind="payments.refund",
        label=gettext_lazy("Refund"),
        permission="payments.approve_refund",
        execute=_on_approved,
        on_reject=_on_not_approved,
        snapshot=_snapshot,
        effects=_effects,
        expires=timedelta(hours=72),
    )
)
