"""Verbs on payments and refunds.

`requests` asks for refunds and takes decisions over · `moves` is the one way in which a refund
changes its state · `execution` talks to the gateway, and asks again where the outcome is open.
"""

from payments.services.captures import record_capture
from payments.services.execution import TransactionOpenError, execute, reconcile
from payments.services.requests import (
    RefundRefusedError,
    approve_refund,
    reject_refund,
    request_refund,
    withdraw_refund,
)

__all__ = [
    "RefundRefusedError",
    "TransactionOpenError",
    "approve_refund",
    "execute",
    "reconcile",
    "record_capture",
    "reject_refund",
    "request_refund",
    "withdraw_refund",
]
