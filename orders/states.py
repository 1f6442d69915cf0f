"""The states of orders, lines, parcels and change requests, and what may follow what.

This is the one place for them. Orders, parcels and requests keep their state in a column, and the
tables here say which may follow; services move them by a conditional UPDATE over these tables.
A line keeps counts of pieces instead, since it may be in several states at once, and `LINE` says
by which name people call what the counts make.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class OrderState(models.TextChoices):
    """Where an order stands."""

    PLACED = "placed", _("Placed")
    PAID = "paid", _("Paid")
    SHIPPED = "shipped", _("Shipped")
    DELIVERED = "delivered", _("Delivered")
    CANCELLED = "cancelled", _("Cancelled")


class ParcelState(models.TextChoices):
    """Where a parcel stands."""

    PREPARED = "prepared", _("To be sent")
    SHIPPED = "shipped", _("Shipped")
    DELIVERED = "delivered", _("Delivered")
    LOST = "lost", _("Lost")
    CANCELLED = "cancelled", _("Not sent")


class ChangeKind(models.TextChoices):
    """What a customer asks for."""

    CANCEL = "cancel", _("Cancel")
    RETURN = "return", _("Return")
    EXCHANGE = "exchange", _("Exchange")
    ADDRESS = "address", _("New address")


class ChangeState(models.TextChoices):
    """Where a change request stands."""

    REQUESTED = "requested", _("Waits for a decision")
    APPROVED = "approved", _("Goods expected")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    DONE = "done", _("Done")
    FAILED = "failed", _("Goods never came")


class LineState(models.TextChoices):
    """How people call what became of the pieces of a line."""

    OPEN = "open", _("Open")
    PARTLY_SHIPPED = "partly_shipped", _("Partly shipped")
    SHIPPED = "shipped", _("Shipped")
    PARTLY_DELIVERED = "partly_delivered", _("Partly delivered")
    DELIVERED = "delivered", _("Delivered")
    PARTLY_RETURNED = "partly_returned", _("Partly returned")
    RETURNED = "returned", _("Returned")
    CANCELLED = "cancelled", _("Cancelled")


type Table = Mapping[str, frozenset[str]]

_O, _P, _C, _L = OrderState, ParcelState, ChangeState, LineState

# From a state to the states that may follow it. An order of which some parcels have left stays
# "paid" until nothing of it is open; then it is "shipped".
ORDER: Table = {
    _O.PLACED: frozenset({_O.PAID, _O.CANCELLED}),
    _O.PAID: frozenset({_O.SHIPPED, _O.CANCELLED}),
    _O.SHIPPED: frozenset({_O.DELIVERED}),
    _O.DELIVERED: frozenset(),
    _O.CANCELLED: frozenset(),
}

# A lost parcel may turn up. What was not sent frees its pieces; what was lost does not.
PARCEL: Table = {
    _P.PREPARED: frozenset({_P.SHIPPED, _P.CANCELLED}),
    _P.SHIPPED: frozenset({_P.DELIVERED, _P.LOST}),
    _P.DELIVERED: frozenset(),
    _P.LOST: frozenset({_P.DELIVERED}),
    _P.CANCELLED: frozenset(),
}

# Cancelling and a new address are done with the decision. A return or an exchange is approved
# first, and done when the goods came in.
CHANGE: Table = {
    _C.REQUESTED: frozenset({_C.APPROVED, _C.DONE, _C.REJECTED, _C.WITHDRAWN}),
    _C.APPROVED: frozenset({_C.DONE, _C.FAILED}),
    _C.REJECTED: frozenset(),
    _C.WITHDRAWN: frozenset(),
    _C.DONE: frozenset(),
    _C.FAILED: frozenset(),
}
CHANGE_OPEN = (_C.REQUESTED, _C.APPROVED)
"""Requests about which something has to be done still."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How many pieces of a line were ordered, and what became of them.

    delivered <= shipped, returned <= shipped, shipped + cancelled <= ordered.
    """

    ordered: int
    cancelled: int = 0
    shipped: int = 0
    delivered: int = 0
    returned: int = 0

    @property
    def kept(self) -> int:
        """What was ordered and not cancelled."""
        return self.ordered - self.cancelled

    @property
    def open(self) -> int:
        """What has to be sent still."""
        return self.kept - self.shipped

    @property
    def out(self) -> int:
        """What left and did not come back."""
        return self.shipped - self.returned

    @property
    def state(self) -> LineState:
        """The first row of `LINE` that holds."""
        return next(state for state, holds in LINE if holds(self))


# The first row that holds names the state.
LINE: tuple[tuple[LineState, Callable[[Pieces], bool]], ...] = (
    (_L.CANCELLED, lambda line: line.kept == 0),
    (_L.RETURNED, lambda line: line.returned >= line.kept),
    (_L.PARTLY_RETURNED, lambda line: line.returned > 0),
    (_L.DELIVERED, lambda line: line.delivered >= line.kept),
    (_L.PARTLY_DELIVERED, lambda line: line.delivered > 0),
    (_L.SHIPPED, lambda line: line.shipped >= line.kept),
    (_L.PARTLY_SHIPPED, lambda line: line.shipped > 0),
    (_L.OPEN, lambda _line: True),
)

# What the state of the whole order says about every line. An order that came from a sheet has no
# parcels and its lines count nothing: they are read by this, and no line has to be rewritten.
# It holds for the others too, since an order is "shipped" only when nothing of it is open.
BY_ORDER: Mapping[str, Callable[[Pieces], Pieces]] = {
    _O.PLACED: lambda line: line,
    _O.PAID: lambda line: line,
    _O.SHIPPED: lambda line: replace(line, shipped=line.kept),
    _O.DELIVERED: lambda line: replace(line, shipped=line.kept, delivered=line.kept),
    _O.CANCELLED: lambda line: replace(line, cancelled=line.ordered),
}


def before(table: Table, state: str) -> frozenset[str]:
    """Return the states of a table from which `state` may follow."""
    return frozenset(early for early, late in table.items() if state in late)


def still_ahead(table: Table, state: str) -> frozenset[str]:
    """Return the states of a table into which a row in `state` may come, now or later."""
    found: frozenset[str] = frozenset()
    waiting = {*table[state]}
    while waiting:
        found |= waiting
        waiting = {late for early in waiting for late in table[early]} - found
    return found


REASONS: Mapping[str, str | Promise] = {
    "mind": _("Changed their mind"),
    "twice": _("Ordered twice"),
    "late": _("Takes too long"),
    "damaged": _("Arrived damaged"),
    "wrong": _("Wrong or not as described"),
    "fit": _("Does not fit"),
    "moved": _("Moved, or a mistake in the address"),
    "other": _("Other, see the note"),
}
"""Why a customer asks for a change, to choose from."""
NOTE_NEEDED = frozenset({"other"})
