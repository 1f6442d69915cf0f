"""Rows of orders: what was bought, sent, came back, and what customers ask to be changed."""

from orders.models.change import ChangeLine, ChangeRequest, DeliveryAddress
from orders.models.charge import Charge
from orders.models.note import OrderNote
from orders.models.order import Order, OrderLine
from orders.models.parcel import Parcel, ParcelLine
from orders.models.returns import Return, ReturnLine

__all__ = [
    "ChangeLine",
    "ChangeRequest",
    "Charge",
    "DeliveryAddress",
    "Order",
    "OrderLine",
    "OrderNote",
    "Parcel",
    "ParcelLine",
    "Return",
    "ReturnLine",
]
