"""Staff pages of payments and refunds, and what they add to the pages of orders and customers."""

from payments.admin import (
    break_page,
    customer_parts,
    day_page,
    event_page,
    evidence_page,
    gateway_page,
    ledger_page,
    look_up,
    order_list,
    order_page,
    payment_page,
    refund_page,
    settlement_page,
    stop_page,
)

__all__ = [
    "break_page",
    "customer_parts",
    "day_page",
    "event_page",
    "evidence_page",
    "gateway_page",
    "ledger_page",
    "look_up",
    "order_list",
    "order_page",
    "payment_page",
    "refund_page",
    "settlement_page",
    "stop_page",
]
