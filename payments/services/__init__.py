"""Verbs on payments and refunds.

`requests` asks for refunds and takes decisions over, with `splitting` (what for) and `choosing`
(from which payment) · `moves` is the one way in which a refund
changes its state · `execution` talks to the gateway, and asks again where the outcome is open;
`outcomes` is what follows from an answer · `events` is the inbox of webhooks, `external` lets the
books follow what the gateway has on its own.
"""

from payments.services import events, external
from payments.services.captures import record_capture
from payments.services.execution import TransactionOpenError, execute, reconcile
from payments.services.refusals import RefundRefusedError
from payments.services.requests import (
    approve_refund,
    reject_refund,
    request_refund,
    withdraw_refund,
)
from payments.services.splitting import Asked

__all__ = [
    "Asked",
    "RefundRefusedError",
    "TransactionOpenError",
    "approve_refund",
    "events",
    "execute",
    "external",
    "reconcile",
    "record_capture",
    "reject_refund",
    "request_refund",
    "withdraw_refund",
]
