"""Staff pages of orders, and what they add to the pages of customers."""

from orders.admin import change_page, customer_parts, parcel_page
from orders.admin.order_cards import LineNote, LineNotes, TimelineSource
from orders.admin.order_list import BadgeSource, WaitingSource
from orders.admin.order_page import ORDER_STATES, OrderAdmin

__all__ = [
    "ORDER_STATES",
    "BadgeSource",
    "LineNote",
    "LineNotes",
    "OrderAdmin",
    "TimelineSource",
    "WaitingSource",
    "change_page",
    "customer_parts",
    "parcel_page",
]
