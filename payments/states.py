"""The states of payments, refunds and disputes, and the moves between them: nowhere else.

A refund is asked for by one person, approved by another, sent by the machine. While nobody knows
whether its money moved it is "unknown", and its amount stays held.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

SHEET = "sheet"
"""The gateway of payments that a sheet told of: none. No money ever goes out by it."""


class RefundState(models.TextChoices):
    """Where a refund stands."""

    REQUESTED = "requested", _("Requested")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")
    VOID = "void", _("Void")
    APPROVED = "approved", _("Approved")
    EXECUTING = "executing", _("Executing")
    PENDING = "pending", _("Pending at the gateway")
    UNKNOWN = "unknown", _("Unknown")
    NEEDS_REVIEW = "needs_review", _("Needs review")
    SUCCEEDED = "succeeded", _("Refunded")
    FAILED = "failed", _("Failed")
    REVERSED = "reversed", _("Reversed")
    EXTERNAL = "external", _("External")


_R = RefundState
# From a state to the states that may follow it. Only a definite refusal is "failed". Executing goes
# back to approved where the request surely never reached the gateway. What has surely not been sent
# may still become void (a right was lost, the room was taken by a refund made at the gateway).
# "Needs review" ends by two people with evidence. Reversed: the money had gone out and came back.
REFUND: dict[str, frozenset[str]] = {
    _R.REQUESTED: frozenset({_R.APPROVED, _R.REJECTED, _R.WITHDRAWN, _R.EXPIRED, _R.VOID}),
    _R.APPROVED: frozenset({_R.EXECUTING, _R.VOID}),
    _R.EXECUTING: frozenset({_R.SUCCEEDED, _R.PENDING, _R.FAILED, _R.UNKNOWN, _R.APPROVED}),
    _R.UNKNOWN: frozenset({_R.SUCCEEDED, _R.PENDING, _R.FAILED, _R.NEEDS_REVIEW}),
    _R.PENDING: frozenset({_R.SUCCEEDED, _R.FAILED, _R.NEEDS_REVIEW}),
    _R.NEEDS_REVIEW: frozenset({_R.SUCCEEDED, _R.FAILED}),
    _R.SUCCEEDED: frozenset({_R.REVERSED}),
    _R.EXTERNAL: frozenset({_R.REVERSED}),
    _R.REJECTED: frozenset(),
    _R.WITHDRAWN: frozenset(),
    _R.EXPIRED: frozenset(),
    _R.VOID: frozenset(),
    _R.FAILED: frozenset(),
    _R.REVERSED: frozenset(),
}
PAID_OUT = frozenset({_R.SUCCEEDED, _R.EXTERNAL})
"""The money has gone out, as far as anybody knows."""
OPEN = frozenset({_R.REQUESTED, _R.APPROVED, _R.EXECUTING, _R.PENDING, _R.UNKNOWN, _R.NEEDS_REVIEW})
"""Asked for and not over."""
HOLDING = OPEN | PAID_OUT
"""The refund holds its amount on the payment and on lines and charges."""
ENDED = frozenset(_R) - OPEN
"""Nothing more is expected; `finished_at` is set."""


class PaymentState(models.TextChoices):
    """How far a payment has gone back; read from its sums, stored nowhere."""

    CAPTURED = "captured", _("Captured")
    PARTLY_REFUNDED = "partly_refunded", _("Partly refunded")
    REFUNDED = "refunded", _("Refunded")
    DISPUTED = "disputed", _("Disputed")


def payment_state(captured: int, refunded: int, blocked: int) -> PaymentState:
    """Return the state that these sums, in minor units, stand for: the first line that holds."""
    table = (
        (blocked > 0, PaymentState.DISPUTED),
        (refunded == 0, PaymentState.CAPTURED),
        (refunded < captured, PaymentState.PARTLY_REFUNDED),
        (True, PaymentState.REFUNDED),
    )
    return next(state for holds, state in table if holds)


class DisputeStatus(models.TextChoices):
    """Where a dispute stands: while it is open, or lost, its money cannot be refunded.

    An inquiry takes no money: the bank asks, and refunding may be the answer. What is announced
    has taken none yet, but it will, so that it is not refunded besides.
    """

    INQUIRY = "inquiry", _("Inquiry")
    ANNOUNCED = "announced", _("Announced")
    OPEN = "open", _("Open")
    WON = "won", _("Won")
    LOST = "lost", _("Lost")


# Card schemes let a decided dispute be opened again (pre-arbitration).
DISPUTE: dict[str, frozenset[str]] = {
    DisputeStatus.INQUIRY: frozenset(
        {DisputeStatus.ANNOUNCED, DisputeStatus.OPEN, DisputeStatus.WON, DisputeStatus.LOST}
    ),
    DisputeStatus.ANNOUNCED: frozenset({DisputeStatus.OPEN, DisputeStatus.WON, DisputeStatus.LOST}),
    DisputeStatus.OPEN: frozenset({DisputeStatus.WON, DisputeStatus.LOST}),
    DisputeStatus.WON: frozenset({DisputeStatus.ANNOUNCED, DisputeStatus.OPEN, DisputeStatus.LOST}),
    DisputeStatus.LOST: frozenset({DisputeStatus.OPEN, DisputeStatus.WON}),
}
