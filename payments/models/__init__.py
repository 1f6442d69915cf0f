"""Payments that came in, refunds that go out, and the books of both.

captured >= reserved + blocked and reserved >= refunded hold for each payment, by CHECK:
`reserved_minor` is what open and done refunds hold together, `refunded_minor` the part that went
out, `blocked_minor` what a dispute keeps from being refunded.
The states and the moves between them stand in `payments.states`, and nowhere else.
"""

from payments.models.controls import DailyTotal, GatewayState, GatewayVerification, RefundStop
from payments.models.disputes import Dispute
from payments.models.events import InboxEvent
from payments.models.ledger import Account, LedgerEntry, LedgerTransaction
from payments.models.payment import Payment
from payments.models.reconciliation import Break, ReconciledDay, SettlementEntry, SettlementImport
from payments.models.refund import Evidence, Refund, RefundAttempt, RefundPart
from payments.states import HOLDING
from payments.states import REFUND as TRANSITIONS

__all__ = [
    "HOLDING",
    "TRANSITIONS",
    "Account",
    "Break",
    "DailyTotal",
    "Dispute",
    "Evidence",
    "GatewayState",
    "GatewayVerification",
    "InboxEvent",
    "LedgerEntry",
    "LedgerTransaction",
    "Payment",
    "ReconciledDay",
    "Refund",
    "RefundAttempt",
    "RefundPart",
    "RefundStop",
    "SettlementEntry",
    "SettlementImport",
]
