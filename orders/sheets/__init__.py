"""Formats of sheets that hold orders; found by name when `backoffice.sheets` is installed."""

from orders.sheets.documents import Orders
from orders.sheets.lines import OrderLines
from orders.sheets.online_retail import OnlineRetail

__all__ = ["OnlineRetail", "OrderLines", "Orders"]
