"""Staff pages of payments and refunds, and what they add to the order page."""

from payments.admin import order_page, payment_page, refund_page

__all__ = ["order_page", "payment_page", "refund_page"]
