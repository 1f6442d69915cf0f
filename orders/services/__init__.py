"""Verbs on orders. What may follow which state stands in `orders.states`.

`moves` brings an order into a state, and is the one way to do so · `parcels` sends it · `changes`
takes customers' requests down and decides about them, within `limits` · `cancelling` and
`receipts` do what was decided · `refunding` asks for the money, by those who registered for it ·
`lines` holds money of a line for refunds · `notes` keeps a few words.
"""

from orders.services.changes import (
    Asked,
    ReferenceTakenError,
    approve_change,
    ask_change,
    close_change,
    reject_change,
    withdraw_change,
)
from orders.services.lines import LineLimitError, release_line, reserve_line
from orders.services.moves import (
    MoveRefusedError,
    allowed_from,
    cancel_order,
    mark_paid,
    why_not,
    why_sent,
)
from orders.services.notes import add_note
from orders.services.parcels import (
    Carriage,
    drop_parcel,
    mark_delivered,
    mark_shipped,
    parcel_arrived,
    parcel_lost,
    send_parcel,
    send_prepared,
)
from orders.services.receipts import receive

__all__ = [
    "Asked",
    "Carriage",
    "LineLimitError",
    "MoveRefusedError",
    "ReferenceTakenError",
    "add_note",
    "allowed_from",
    "approve_change",
    "ask_change",
    "cancel_order",
    "close_change",
    "drop_parcel",
    "mark_delivered",
    "mark_paid",
    "mark_shipped",
    "parcel_arrived",
    "parcel_lost",
    "receive",
    "reject_change",
    "release_line",
    "reserve_line",
    "send_parcel",
    "send_prepared",
    "why_not",
    "why_sent",
    "withdraw_change",
]
