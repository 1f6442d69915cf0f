"""Staff pages of payments and refunds, and what they add to the pages of orders and customers."""

from payments.admin import (
    customer_parts,
    evidence_page,
    gateway_page,
    order_page,
    payment_page,
    refund_page,
    stop_page,
)

__all__ = [
    "customer_parts",
    "evidence_page",
    "gateway_page",
    "order_page",
    "payment_page",
    "refund_page",
    "stop_page",
]
