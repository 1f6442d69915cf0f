"""Staff pages of orders, and what they add to the pages of customers."""

from orders.admin import customer_parts
from orders.admin.order_page import ORDER_STATES, LineNote, LineNotes, OrderAdmin, TimelineSource

__all__ = [
    "ORDER_STATES",
    "LineNote",
    "LineNotes",
    "OrderAdmin",
    "TimelineSource",
    "customer_parts",
]
