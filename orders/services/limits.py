"""What may be asked to be changed: how many pieces, and until when, said in words."""

from collections.abc import Mapping
from functools import partial

from django.core.exceptions import ValidationError
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from orders.models import ChangeLine, ChangeRequest, Order, OrderLine
from orders.queries import came_back
from orders.services.moves import MoveRefusedError
from orders.states import CHANGE_OPEN, ChangeKind, OrderState

_K, _O = ChangeKind, OrderState
WITH_GOODS = (_K.RETURN, _K.EXCHANGE)
"""Kinds after which goods come back."""


def amounts(change: ChangeRequest) -> dict[OrderLine, int]:
    """Return line -> pieces of a request; none for the whole order."""
    rows = change.lines.select_related("order_line__order", "order_line__seller")
    return {row.order_line: row.quantity for row in rows}


def refuse_impossible(
    order: Order,
    kind: str,
    pieces: Mapping[OrderLine, int],
    *,
    apart: ChangeRequest | None = None,
) -> None:
    """Raise ValidationError where the order or its lines do not allow the change.

    What other requests ask for already is not asked for twice; `apart` is the one that is looked
    at. The order has to be locked.
    """
    if any(line.order_id != order.pk for line in pieces):
        raise ValidationError({"lines": _("This line belongs to another order.")})
    others = partial(_others, order, apart)
    if kind == _K.CANCEL:
        _refuse_cancel(order, pieces, others())
    elif kind == _K.ADDRESS:
        _refuse_address(order, others())
    else:
        _refuse_return(order, pieces, others())


def returnable(line: OrderLine, back: int) -> int:
    """Return how many pieces of a line may still come back, `back` of them having done so."""
    return max(0, line.pieces.shipped - max(back, line.returned_quantity))


def _others(order: Order, apart: ChangeRequest | None) -> list[ChangeRequest]:
    found = order.changes.filter(state__in=CHANGE_OPEN).order_by("id")
    return list(found.exclude(pk=apart.pk) if apart else found)


def _refuse_cancel(
    order: Order, pieces: Mapping[OrderLine, int], others: list[ChangeRequest]
) -> None:
    if order.status not in (_O.PLACED, _O.PAID):
        text = _("An order that is “%(state)s” cannot be cancelled any more.")
        raise MoveRefusedError(text % {"state": order.get_status_display()})
    mine = [one for one in others if one.kind == _K.CANCEL]
    if not pieces and mine:
        raise ValidationError(_("%(change)s asks for this already.") % {"change": mine[0]})
    if not pieces and not _any_open(order):
        raise MoveRefusedError(_("Nothing of this order is open any more."))
    asked = _asked(mine)
    for line, count in pieces.items():
        _refuse_more(line, count, line.pieces.open - asked.get(line.pk, 0))


def _any_open(order: Order) -> bool:
    lines = order.lines.all()
    gone = F("shipped_quantity") + F("cancelled_quantity")
    return lines.filter(quantity__gt=gone).exists() or not lines.exists()


def _refuse_address(order: Order, others: list[ChangeRequest]) -> None:
    sent = order.lines.filter(shipped_quantity__gt=0).exists()
    if sent or order.status not in (_O.PLACED, _O.PAID):
        raise MoveRefusedError(_("It has left, or will not leave: the address cannot be changed."))
    if mine := [one for one in others if one.kind == _K.ADDRESS]:
        text = _("%(change)s about the address waits already.")
        raise ValidationError(text % {"change": mine[0]})


def _refuse_return(
    order: Order, pieces: Mapping[OrderLine, int], others: list[ChangeRequest]
) -> None:
    back = came_back(order)
    asked = _asked([one for one in others if one.kind in WITH_GOODS])
    for line, count in pieces.items():
        left = returnable(line, back.get(line.pk, 0)) - asked.get(line.pk, 0)
        _refuse_more(line, count, left)


def _asked(others: list[ChangeRequest]) -> dict[int, int]:
    """Return line -> pieces that these requests ask for and did not get yet."""
    rows = ChangeLine.objects.filter(change__in=others).order_by().values("order_line")
    left = rows.annotate(left=Sum(F("quantity") - F("received")))
    return {row["order_line"]: row["left"] for row in left}


def _refuse_more(line: OrderLine, count: int, left: int) -> None:
    if count < 1:
        raise ValidationError({"lines": _("Say how many pieces, one at least.")})
    if count > left:
        words = {"line": line.position, "left": max(0, left)}
        text = _("Of line %(line)s only %(left)s pieces can be asked for.")
        raise MoveRefusedError({"lines": text % words})
