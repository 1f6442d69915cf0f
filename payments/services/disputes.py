"""Disputes: their money is blocked, so that it is not refunded besides.

A dispute blocks its amount up to what refunds leave free. What becomes free later (a refund that
failed, was rejected or came back) goes to the open and lost disputes first. While a dispute is
short of its amount, no refund of the payment is sent (`short`).

An inquiry or a request for information takes no money: nothing is booked or blocked, and refunding
is an answer to it. When it becomes a dispute, it is blocked and booked then.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.audit import verbs
from backoffice.audit.services import record, save_with_history, update_where
from backoffice.jobs import registry as jobs
from payments.gateways.base import DisputeSnapshot
from payments.models import Dispute, Payment
from payments.services import ledger
from payments.states import DISPUTE, DisputeStatus

VERBS = {
    DisputeStatus.INQUIRY: verbs.register("payments.dispute_inquiry", _("Inquiry about a payment")),
    DisputeStatus.ANNOUNCED: verbs.register("payments.dispute_announced", _("Dispute announced")),
    DisputeStatus.OPEN: verbs.register("payments.dispute_open", _("Dispute opened")),
    DisputeStatus.WON: verbs.register("payments.dispute_won", _("Dispute won")),
    DisputeStatus.LOST: verbs.register("payments.dispute_lost", _("Dispute lost")),
}
"""State -> the verb of coming into it."""
BLOCKING = frozenset({DisputeStatus.ANNOUNCED, DisputeStatus.OPEN, DisputeStatus.LOST})
"""The money is not ours to give back."""
TAKEN = frozenset({DisputeStatus.OPEN, DisputeStatus.LOST})
"""The gateway took the money: so the books say."""
NOT_TAKEN = frozenset({DisputeStatus.INQUIRY, DisputeStatus.ANNOUNCED})
"""No money moved, and none may ever."""
UNDECIDED = NOT_TAKEN | {DisputeStatus.OPEN}
"""The bank has yet to say how it ends."""
# Nobody tells of an inquiry that led to nothing at every gateway; banks have 120 days to dispute a
# payment: https://docs.stripe.com/disputes/how-disputes-work
INQUIRY_ENDS = timedelta(days=120)
EVERY_SECONDS = 3600
A_TURN = 100


def note(payment: Payment, told: DisputeSnapshot) -> Dispute:
    """Record what the gateway tells of a dispute, and block or let go of its money.

    The same word twice changes nothing.
    """
    status = DisputeStatus(told.state.value)
    known = Dispute.objects.filter(gateway=payment.gateway, reference=told.reference).first()
    if known is None:
        return _open(payment, told, status)
    _move(known, told, status)
    return known


def end_inquiries() -> int:
    """End the inquiries that led to nothing in INQUIRY_ENDS; return how many."""
    old = timezone.now() - INQUIRY_ENDS
    found = Dispute.objects.filter(status__in=NOT_TAKEN, opened_at__lt=old)
    rows = found.select_related("payment").order_by("pk")
    return sum(_change(dispute, DisputeStatus.WON, {}) for dispute in rows[:A_TURN])


def short(payment: Payment) -> DisputeStatus | None:
    """Return the state of a dispute that does not hold all its money; None where all do.

    "lost" before "open": money that is gone cannot be waited for.
    """
    lacking = [dispute for dispute in _blocking(payment) if _lacks(dispute, payment)]
    states = {dispute.status for dispute in lacking}
    if DisputeStatus.LOST in states:
        return DisputeStatus.LOST
    return DisputeStatus.OPEN if states else None


def block_what_is_free(payment: Payment) -> None:
    """Give what refunds leave free to the disputes that lack it, the oldest first."""
    for dispute in _blocking(payment):
        if _lacks(dispute, payment):
            _block(dispute, payment)


def make_room(payment: Payment, minor: int) -> None:
    """Let go of up to `minor` that disputes block: it went out as a refund at the gateway."""
    for dispute in reversed(_blocking(payment)):
        part = min(minor, dispute.blocked_minor)
        if part > 0 and _shift(dispute, payment, -part):
            minor -= part


def _open(payment: Payment, told: DisputeSnapshot, status: DisputeStatus) -> Dispute:
    dispute = Dispute(
        payment=payment,
        gateway=payment.gateway,
        reference=told.reference,
        status=status,
        **_told(told),
        closed_at=None if status in UNDECIDED else timezone.now(),
    )
    with transaction.atomic():
        save_with_history(dispute, actor=None)
        _follow(dispute, payment, status)
    return dispute


def _move(dispute: Dispute, told: DisputeSnapshot, status: DisputeStatus) -> None:
    """Move it; of what was never booked the amount becomes that of the dispute."""
    ended = dispute.status == DisputeStatus.WON and not ledger.was_taken(dispute)
    became = status in BLOCKING and (ended or dispute.status in NOT_TAKEN)
    _change(dispute, status, _told(told) if became and status != dispute.status else {})


def _told(told: DisputeSnapshot) -> dict[str, Any]:
    return {
        "amount_minor": told.amount.minor,
        "currency": told.amount.currency,
        "reason": told.reason[:80],
        "opened_at": told.opened_at or timezone.now(),
        "answer_by": told.answer_by,
    }


def _change(dispute: Dispute, status: DisputeStatus, more: dict[str, Any]) -> bool:
    before = [state for state, after in DISPUTE.items() if status in after]
    if more:
        before = [state for state in before if state == dispute.status]
    closed = None if status in UNDECIDED else timezone.now()
    changes = {"status": status, "closed_at": closed, **more}
    with transaction.atomic():
        # Refunds write the payment first and its disputes after it: so does this.
        Payment.objects.select_for_update().get(pk=dispute.payment_id)
        if not update_where(dispute, Q(status__in=before), actor=None, changes=changes):
            return False
        if more:  # what it blocked so far was for another amount
            _shift(dispute, dispute.payment, -dispute.blocked_minor)
        _follow(dispute, dispute.payment, status)
    return True


def _follow(dispute: Dispute, payment: Payment, status: DisputeStatus) -> None:
    """Block or let go, book, and put it on the record."""
    if status in BLOCKING:
        _block(dispute, payment)
        if status in TAKEN:
            ledger.book_chargeback(dispute)
    elif status != DisputeStatus.INQUIRY:
        _shift(dispute, payment, -dispute.blocked_minor)
        ledger.book_chargeback_reversed(dispute)
    facts: dict[str, Any] = {
        "dispute": dispute.reference,
        "amount": str(dispute.amount),
        "blocked": str(payment.blocked),
    }
    record(VERBS[status], actor=None, subject=payment, also=[dispute], context=facts)


def _blocking(payment: Payment) -> list[Dispute]:
    found = payment.disputes.filter(status__in=BLOCKING)
    return list(found.order_by("opened_at", "pk"))


def _lacks(dispute: Dispute, payment: Payment) -> bool:
    # In another currency nobody can say how much is contested: then all of it is.
    whole = dispute.amount_minor if dispute.currency == payment.currency else payment.captured_minor
    return dispute.blocked_minor < min(whole, payment.captured_minor)


def _block(dispute: Dispute, payment: Payment) -> None:
    """Block what is free, as far as the dispute lacks it; what others take meanwhile is theirs."""
    payment.refresh_from_db()
    whole = dispute.amount_minor if dispute.currency == payment.currency else payment.captured_minor
    part = min(whole - dispute.blocked_minor, payment.refundable.minor)
    if part > 0:
        _shift(dispute, payment, part)


def _shift(dispute: Dispute, payment: Payment, minor: int) -> bool:
    """Add to what the dispute blocks, on both rows or on none."""
    room = Q(captured_minor__gte=F("reserved_minor") + F("blocked_minor") + minor)
    more = {"blocked_minor": F("blocked_minor") + minor}
    with transaction.atomic():
        if not minor or not update_where(payment, room, actor=None, changes=more):
            return False
        update_where(dispute, Q(), actor=None, changes=more)
    return True


jobs.every(
    seconds=EVERY_SECONDS, name="payments.inquiries", label=_("End inquiries that led to nothing")
)(end_inquiries)
