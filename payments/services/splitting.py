"""What a refund is for: whole pieces or amounts of lines and charges, to the last minor unit.

Amounts are split by largest remainder, and everything is a share of what is *left*: whoever takes
the last pieces, or the last of a line, takes its remainder, and the tax that remains in it. So any
row of partial refunds ends at exactly zero, for each line, its tax, and the whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from backoffice.money import Money
from orders.models import Charge, Order, OrderLine
from payments.models import RefundPart
from payments.services.refusals import RefundRefusedError
from payments.states import HOLDING

Thing = OrderLine | Charge


@dataclass(frozen=True, slots=True)
class Asked:
    """What should go back for one line or one charge.

    `amount`, tax included, or `quantity` whole pieces (with an amount: for so much); neither is
    everything that is left. Without line and charge, `amount` is for no single thing, and is split
    over what is left of all.
    """

    line: OrderLine | None = None
    charge: Charge | None = None
    amount: Money | None = None
    quantity: int | None = None

    @property
    def thing(self) -> Thing | None:
        """The line or charge."""
        return self.line or self.charge


@dataclass(frozen=True, slots=True)
class Left:
    """What can still go back for one line or charge: amount and the tax in it, in minor units.

    `pieces` that no refund holds; a refund by amount takes none.
    """

    thing: Thing
    minor: int
    tax: int
    pieces: int

    @property
    def amount(self) -> Money:
        """What is left of it."""
        return Money(self.minor, self.thing.currency)

    def pieces_cost(self, quantity: int) -> Money:
        """Return what so many of the pieces that are left cost."""
        return self.amount.split([quantity, self.pieces - quantity])[0]

    def without(self, part: RefundPart) -> "Left":
        """Return what is left after that part."""
        return replace(
            self,
            minor=self.minor - part.amount_minor,
            tax=self.tax - part.tax_minor,
            pieces=self.pieces - (part.quantity or 0),
        )


def left_of(order: Order) -> list[Left]:
    """Return what is left of every line and charge with a positive amount, in three queries."""
    held = RefundPart.objects.filter(refund__payment__order=order, refund__state__in=HOLDING)
    rows = (
        held.order_by()
        .values_list("order_line", "charge")
        .annotate(taken_tax=Sum("tax_minor"), taken_pieces=Coalesce(Sum("quantity"), 0))
    )
    taken: dict[tuple[int | None, int | None], tuple[int, int]] = {
        (line, charge): (tax, pieces) for line, charge, tax, pieces in rows
    }
    lines = order.lines.select_related("product").order_by("position", "pk")
    found = [_left(line, taken.get((line.pk, None))) for line in lines]
    charges = order.charges.order_by("pk")
    found += [_left(charge, taken.get((None, charge.pk))) for charge in charges]
    return [left for left in found if left.thing.total_minor > 0]


def _left(thing: Thing, taken: tuple[int, int] | None) -> Left:
    minor = thing.total_minor - thing.reserved_minor
    tax_taken, pieces_taken = taken or (0, 0)
    # Refunds of older books name no tax: no more of it can be left than of the amount.
    tax = min(thing.tax_minor - tax_taken, minor)
    return Left(thing, minor, max(tax, 0), max(thing.quantity - pieces_taken, 0))


def tax_of(amount: Money, lefts: Iterable[Left]) -> Money:
    """Return the tax that would go back with `amount`, shared out over all that is left."""
    parts = _spread(amount, lefts)
    return Money(sum(part.tax_minor for part in parts), amount.currency)


def split(order: Order, asked: Sequence[Asked]) -> list[RefundPart]:
    """Return the unsaved parts of a refund, lines by key, then charges by key, then the rest.

    Raises RefundRefusedError for what cannot be meant. Whether enough is left is for the
    conditional UPDATEs to say, after it.
    """
    lefts = {_key(left.thing): left for left in left_of(order)}
    parts = list(_named(order, asked, lefts))
    for one in asked:
        if one.thing is None:
            spread = list(_spread(_sum_for_all(order, one), lefts.values()))
            parts = _merged(parts + spread)
    if not parts:
        raise RefundRefusedError({"amount": _("The amount must be more than nothing.")})
    return sorted(parts, key=_order)


def _key(thing: Thing) -> tuple[type, int]:
    return type(thing), thing.pk


def _order(part: RefundPart) -> tuple[int, int]:
    """Return where a part stands in the one order in which rows are written."""
    if part.order_line_id:
        return 0, part.order_line_id
    return (1, part.charge_id) if part.charge_id else (2, 0)


def _named(
    order: Order, asked: Iterable[Asked], lefts: dict[tuple[type, int], Left]
) -> Iterator[RefundPart]:
    """Yield the part of each named thing, and take it off `lefts`."""
    seen = set()
    for one in asked:
        thing = one.thing
        if thing is None:
            continue
        key = _key(thing)
        if thing.order_id != order.pk:
            raise RefundRefusedError({"line": _("This line belongs to another order.")})
        if key in seen or (one.line and one.charge):
            raise RefundRefusedError({"line": _("Name each line once.")})
        if key not in lefts:
            raise RefundRefusedError({"line": _("This line cost nothing.")})
        seen.add(key)
        part = _part(_amount(one, lefts[key]), lefts[key], _pieces(one, lefts[key]))
        lefts[key] = lefts[key].without(part)
        yield part


def _pieces(one: Asked, left: Left) -> int | None:
    """Return how many pieces the part takes.

    Where the amount was worked out by others (an order that is cancelled), refunds by pieces may
    have taken some before: the amount counts, and so many pieces as are left.
    """
    if one.quantity is None or one.amount is None:
        return one.quantity
    return min(one.quantity, left.pieces) or None


def _amount(one: Asked, left: Left) -> Money:
    if one.quantity is not None and one.amount is None:
        if not 0 < one.quantity <= left.pieces:
            text = _("%(count)s pieces of this line can still be refunded.")
            raise RefundRefusedError({"quantity": text % {"count": left.pieces}})
        amount = left.pieces_cost(one.quantity)
    else:
        amount = left.amount if one.amount is None else one.amount
    if amount.currency != left.thing.currency:
        raise RefundRefusedError({"amount": _("This line was paid in another currency.")})
    if amount.minor <= 0:
        raise RefundRefusedError({"amount": _("Nothing of this line is left to refund.")})
    return amount


def _part(amount: Money, left: Left, quantity: int | None = None) -> RefundPart:
    line = left.thing if isinstance(left.thing, OrderLine) else None
    charge = left.thing if isinstance(left.thing, Charge) else None
    return RefundPart(
        order_line=line,
        charge=charge,
        quantity=quantity,
        amount_minor=amount.minor,
        tax_minor=_tax(amount, left),
        currency=amount.currency,
    )


def _tax(amount: Money, left: Left) -> int:
    """Return the share of the tax that is left; all of it with the last of the amount."""
    rest = left.minor - amount.minor
    if rest < 0:  # refused a moment later: more than is left
        return min(left.tax, amount.minor)
    return Money(left.tax, amount.currency).split([amount.minor, rest])[0].minor


def _sum_for_all(order: Order, one: Asked) -> Money:
    amount = one.amount
    if amount is None or one.quantity is not None:
        raise RefundRefusedError({"amount": _("Without a line, give the amount.")})
    if amount.minor <= 0:
        raise RefundRefusedError({"amount": _("The amount must be more than nothing.")})
    if amount.currency != order.currency:
        text = _("No payment of this order was captured in %(currency)s.")
        raise RefundRefusedError({"amount": text % {"currency": amount.currency}})
    return amount


def _spread(amount: Money, lefts: Iterable[Left]) -> Iterator[RefundPart]:
    """Yield the shares of all that is left; what is beyond it is for no single thing."""
    open_ = [left for left in lefts if left.minor > 0]
    within = min(amount.minor, sum(left.minor for left in open_))
    if within:
        shares = Money(within, amount.currency).split([left.minor for left in open_])
        for left, share in zip(open_, shares, strict=True):
            if share:
                yield _part(share, left)
    if rest := amount.minor - within:
        yield RefundPart(amount_minor=rest, currency=amount.currency)


def _merged(parts: Iterable[RefundPart]) -> list[RefundPart]:
    """Add up parts of the same thing: each stands once."""
    found: dict[tuple[int, int], RefundPart] = {}
    for part in parts:
        if same := found.get(_order(part)):
            same.amount_minor += part.amount_minor
            same.tax_minor += part.tax_minor
        else:
            found[_order(part)] = part
    return list(found.values())
