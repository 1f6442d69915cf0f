"""Rows of orders: what was bought, sent, came back, and what customers ask to be changed."""

from orders.models.charge import Charge
from orders.models.order import Order, OrderLine
from orders.models.returns import Return, ReturnLine

__all__ = [
    "Charge",
    "Order",
    "OrderLine",
    "Return",
    "ReturnLine",
]
