"""The one way in which a refund comes into a state, with everything that belongs to it.

A move is an UPDATE that holds only if the refund still is in a state from which
`payments.models.TRANSITIONS` allows it. In the same transaction the reservation on payment and
order line is let go where the new state no longer holds it, the payout is booked where the gateway
confirmed it, and history and event are written.
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
from backoffice.audit.services import record, update_where
from backoffice.money import Money
from orders.services import release_line
from payments.models import HOLDING, TRANSITIONS, Payment, Refund

_S = Refund.State

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
}
"""State -> the verb of coming into it."""
POSTPONED = verbs.register("payments.refund_postponed", _("Gateway not reached, tried again later"))

_BAD = {_S.FAILED: Outcome.FAILED, _S.REJECTED: Outcome.REFUSED}
_FINAL = frozenset(state for state, after in TRANSITIONS.items() if not after)


def move(
    refund: Refund,
    to: Refund.State,
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
    before = frozenset(state for state, after in TRANSITIONS.items() if to in after)
    ended = {"finished_at": timezone.now(), "next_try_at": None} if to in _FINAL else {}
    was = refund.state
    with transaction.atomic():
        moved = update_where(
            refund,
            Q(state__in=before) & (only or Q()),
            actor=actor,
            reason=reason,
            changes={"state": to, **ended, **(changes or {})},
        )
        if not moved:
            refund.refresh_from_db()
            return False
        _book(refund, to, actor=actor, reason=reason)
        verb = POSTPONED if (was, to) == (_S.EXECUTING, _S.APPROVED) else VERBS[to]
        facts = {"amount": str(refund.amount), **(context or {})}
        outcome = _BAD.get(to, Outcome.DONE)
        record(verb, actor=actor, subject=refund, reason=reason, outcome=outcome, context=facts)
    return True


def reserve(payment: Payment, amount: Money, *, actor: User, reason: str) -> bool:
    """Hold `amount` of the payment for a refund; False when less is left."""
    return update_where(
        payment,
        Q(currency=amount.currency, reserved_minor__lte=F("captured_minor") - amount.minor),
        actor=actor,
        reason=reason,
        changes={"reserved_minor": F("reserved_minor") + amount.minor},
    )


def _book(refund: Refund, to: Refund.State, *, actor: User | None, reason: str) -> None:
    if to is _S.SUCCEEDED:
        _change(refund, "refunded_minor", refund.amount_minor, actor=actor, reason=reason)
    elif to not in HOLDING:
        _change(refund, "reserved_minor", -refund.amount_minor, actor=actor, reason=reason)
        if refund.order_line is not None:
            release_line(refund.order_line, refund.amount, actor=actor, reason=reason)


def _change(refund: Refund, column: str, minor: int, *, actor: User | None, reason: str) -> None:
    """Add to a sum of the payment; its CHECK stands behind."""
    changes = {column: F(column) + minor}
    update_where(refund.payment, Q(), actor=actor, reason=reason, changes=changes)
