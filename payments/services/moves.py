"""The one way in which a refund comes into a state, with everything that belongs to it.

A move is an UPDATE that holds only if the refund still is in a state from which
`payments.states.REFUND` allows it. In the same transaction the reservation on payment, lines and
charges is let go where the new state no longer holds it, the payout is booked where the gateway
confirmed it, and history and event are written.

Rows are written in one order everywhere (refund, payment, lines by key, charges by key), so that
two moves of one payment cannot wait for each other.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record, save_with_history, update_where
from backoffice.money import Money
from orders.services import release_line
from payments.models import Payment, Refund, RefundPart
from payments.services import disputes, ledger, limits, telling
from payments.states import ENDED, HOLDING, PAID_OUT, REFUND, RefundState

_S = RefundState

VERBS = {
    _S.REQUESTED: verbs.register("payments.refund_requested", _("Refund requested")),
    _S.APPROVED: verbs.register("payments.refund_approved", _("Refund approved")),
    _S.REJECTED: verbs.register("payments.refund_rejected", _("Refund rejected")),
    _S.WITHDRAWN: verbs.register("payments.refund_withdrawn", _("Refund request withdrawn")),
    _S.EXPIRED: verbs.register("payments.refund_expired", _("Refund request expired")),
    _S.VOID: verbs.register("payments.refund_void", _("Refund request void")),
    _S.EXECUTING: verbs.register("payments.refund_sent", _("Intent saved, request goes out")),
    _S.PENDING: verbs.register("payments.refund_pending", _("Refund pending at the gateway")),
    _S.UNKNOWN: verbs.register("payments.refund_unknown", _("Outcome unknown")),
    _S.NEEDS_REVIEW: verbs.register("payments.refund_needs_review", _("Refund needs review")),
    _S.SUCCEEDED: verbs.register("payments.refund_succeeded", _("Refund succeeded")),
    _S.FAILED: verbs.register("payments.refund_failed", _("Refund failed")),
    _S.REVERSED: verbs.register("payments.refund_reversed", _("Refund came back")),
    _S.EXTERNAL: verbs.register("payments.refund_external", _("Refund made at the gateway")),
}
"""State -> the verb of coming into it."""
POSTPONED = verbs.register("payments.refund_postponed", _("Gateway not reached, tried again later"))

_BAD = {
    _S.FAILED: Outcome.FAILED,
    _S.REVERSED: Outcome.FAILED,
    _S.REJECTED: Outcome.REFUSED,
}


def move(
    refund: Refund,
    to: RefundState,
    *,
    actor: User | None,
    reason: str = "",
    only: Q | None = None,
    changes: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
) -> bool:
    """Bring the refund into a state; False, with nothing changed, if its state forbids that now.

    `actor` is None where the machine acts; `only` is a further condition on the row, `changes` are
    further columns of it.
    """
    before = frozenset(state for state, after in REFUND.items() if to in after)
    ended = {"finished_at": timezone.now(), "next_try_at": None} if to in ENDED else {}
    was = refund.state
    with transaction.atomic():
        moved = update_where(
            refund,
            Q(state__in=before) & (only or Q()),
            actor=actor,
            reason=reason,
            changes={"state": to, **(changes or {}), **ended},
        )
        if not moved:
            refund.refresh_from_db()
            return False
        _book(refund, to, actor=actor, reason=reason)
        verb = POSTPONED if (was, to) == (_S.EXECUTING, _S.APPROVED) else VERBS[to]
        _record(verb, refund, actor=actor, reason=reason, context=context)
        telling.tell(refund, to)
    return True


def reserve(payment: Payment, amount: Money, *, actor: User | None, reason: str) -> bool:
    """Hold `amount` of the payment for a refund; False when less is left."""
    free = F("captured_minor") - F("blocked_minor") - amount.minor
    return update_where(
        payment,
        Q(currency=amount.currency, reserved_minor__lte=free),
        actor=actor,
        reason=reason,
        changes={"reserved_minor": F("reserved_minor") + amount.minor},
    )


def add_external(refund: Refund, *, context: Mapping[str, Any]) -> bool:
    """Take a refund that somebody made at the gateway into the books; False without room for it.

    It has gone out, so that it is reserved and refunded at once. Raises IntegrityError where its
    reference is known already.
    """
    refund.state, refund.finished_at = _S.EXTERNAL, timezone.now()
    with transaction.atomic():
        if not reserve(refund.payment, refund.amount, actor=None, reason=refund.reason):
            return False
        save_with_history(refund, actor=None, reason=refund.reason)
        RefundPart.objects.create(
            refund=refund, amount_minor=refund.amount_minor, currency=refund.currency
        )
        _book(refund, _S.EXTERNAL, actor=None, reason=refund.reason)
        _record(VERBS[_S.EXTERNAL], refund, actor=None, reason="", context=context)
    return True


def _record(
    verb: str,
    refund: Refund,
    *,
    actor: User | None,
    reason: str,
    context: Mapping[str, Any] | None,
) -> None:
    facts = {"amount": str(refund.amount), **(context or {})}
    outcome = _BAD.get(_S(refund.state), Outcome.DONE)
    record(verb, actor=actor, subject=refund, reason=reason, outcome=outcome, context=facts)


def _book(refund: Refund, to: RefundState, *, actor: User | None, reason: str) -> None:
    """Bring the sums and the ledger in line with the new state; their CHECKs stand behind."""
    minor = refund.amount_minor
    if to in PAID_OUT:
        _change(refund, {"refunded_minor": minor}, actor=actor, reason=reason)
        ledger.book_refund(refund)
    elif to is _S.REVERSED:
        back = {"refunded_minor": -minor, "reserved_minor": -minor}
        _change(refund, back, actor=actor, reason=reason)
        ledger.book_reversal(refund)
    elif to not in HOLDING:
        _change(refund, {"reserved_minor": -minor}, actor=actor, reason=reason)
    if to not in HOLDING:
        if to is not _S.REVERSED:
            limits.release(refund)
        _release_parts(refund, actor=actor, reason=reason)
        disputes.block_what_is_free(refund.payment)


def _change(refund: Refund, sums: Mapping[str, int], *, actor: User | None, reason: str) -> None:
    """Add to sums of the payment."""
    changes = {column: F(column) + minor for column, minor in sums.items()}
    update_where(refund.payment, Q(), actor=actor, reason=reason, changes=changes)


def _release_parts(refund: Refund, *, actor: User | None, reason: str) -> None:
    """Let go of what the parts hold on lines, then on charges, each by key."""
    parts = refund.parts.select_related("order_line", "charge")
    for part in parts.order_by("order_line_id", "charge_id"):
        thing = part.order_line or part.charge
        if thing is not None:
            release_line(thing, part.amount, actor=actor, reason=reason)
