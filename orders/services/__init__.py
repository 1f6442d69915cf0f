"""Verbs on orders. What may follow which state stands in `orders.states`.

`moves` brings an order into a state, and is the one way to do so · `lines` holds money of a line
for refunds.
"""

from orders.services.lines import LineLimitError, release_line, reserve_line
from orders.services.moves import (
    MoveRefusedError,
    allowed_from,
    cancel_order,
    mark_delivered,
    mark_paid,
    mark_shipped,
)

__all__ = [
    "LineLimitError",
    "MoveRefusedError",
    "allowed_from",
    "cancel_order",
    "mark_delivered",
    "mark_paid",
    "mark_shipped",
    "release_line",
    "reserve_line",
]
