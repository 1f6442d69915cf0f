"""Goods that came back after a return or an exchange was approved."""

from collections import Counter
from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import history, verbs
from backoffice.audit.services import record, save_with_history, update_where
from orders.models import ChangeLine, ChangeRequest, OrderLine, Return, ReturnLine
from orders.queries import came_back
from orders.services import refunding
from orders.services.changes import bring
from orders.services.moves import MoveRefusedError, locked, require
from orders.services.parcels import prepare_replacement
from orders.states import REASONS, ChangeKind, ChangeState, OrderState

RECEIVE = "orders.receive_changerequest"
CAME_IN = verbs.register("orders.goods_came_in", gettext_lazy("Goods came in"))
_ALL_SENT = (OrderState.SHIPPED, OrderState.DELIVERED)


def receive(change: ChangeRequest, came: Mapping[ChangeLine, int], *, actor: User) -> str:
    """Note which goods came in; return what came of it, in words.

    They make a return (a credit note). For a return the money for them is asked back; for an
    exchange new pieces are made ready, and the credit note is worth nothing, goods for goods.
    The request is done when all came. Raises PermissionDenied, MoveRefusedError, ValidationError,
    and what asking for the refund raises; then nothing is noted.
    """
    require(actor, RECEIVE)
    pieces = {line: count for line, count in came.items() if count}
    if not pieces:
        raise ValidationError(_("Say how many pieces came in."))
    with transaction.atomic():
        locked(change.order)
        change.refresh_from_db()
        if change.state != ChangeState.APPROVED:
            text = _("%(change)s is “%(state)s”: no goods are expected.")
            words = {"change": change, "state": change.get_state_display()}
            raise MoveRefusedError(text % words)
        outcome = _take_in(change, _lines(change, pieces), actor=actor)
        update_where(change, Q(), actor=actor, changes={"outcome": outcome[:200]})
        if not change.lines.filter(received__lt=F("quantity")).exists():
            bring(change, ChangeState.DONE, actor=actor)
    return outcome


def _lines(change: ChangeRequest, pieces: Mapping[ChangeLine, int]) -> dict[ChangeLine, int]:
    """Return the rows of the request anew, with what each order line needs."""
    rows = change.lines.select_related("order_line__order", "order_line__seller")
    found = rows.in_bulk([line.pk for line in pieces])
    if len(found) < len(pieces):
        raise ValidationError(_("This line belongs to another request."))
    return {found[line.pk]: count for line, count in pieces.items()}


def _take_in(change: ChangeRequest, pieces: Mapping[ChangeLine, int], *, actor: User) -> str:
    reason = str(REASONS[change.why])
    amounts = {row.order_line: count for row, count in pieces.items()}
    back = came_back(change.order)
    gone = {line: line.cancelled_quantity + back.get(line.pk, 0) for line in amounts}
    told = ""
    if change.kind == ChangeKind.RETURN:
        parts = refunding.pieces(amounts, gone)
        told = refunding.ask(change.order, parts, actor=actor, reason=reason)
    for row, count in pieces.items():
        _count_in(row, count, back.get(row.order_line_id, 0), actor=actor)
    note = _credit(change, amounts, gone, actor=actor)
    facts = {"pieces": sum(amounts.values()), "return": note.number}
    record(CAME_IN, actor=actor, subject=change, also=[change.order, note], context=facts)
    if change.kind == ChangeKind.EXCHANGE:
        parcels = prepare_replacement(change, amounts, actor=actor)
        words = {"parcels": ", ".join(str(parcel) for parcel in parcels)}
        told = _("New goods wait to be sent: %(parcels)s.") % words
    return f"{_('Goods came in: %(note)s.') % {'note': note.number}} {told}".strip()


def _count_in(row: ChangeLine, count: int, back: int, *, actor: User) -> None:
    """Count the pieces on request and order line, neither beyond what may come.

    `back` came before, by the credit notes; a line that a sheet brought counts nothing itself.
    """
    line, left = row.order_line, Q(quantity__gte=F("received") + count)
    changes = {"received": F("received") + count}
    if not update_where(row, left, actor=actor, changes=changes):
        raise _too_many(line, row.quantity - row.received)
    sent = line.pieces.shipped
    counted = {"returned_quantity": back + count}
    if line.order.status in _ALL_SENT:
        counted["shipped_quantity"] = sent
    if back + count > sent or not update_where(
        line, Q(returned_quantity__lte=back), actor=actor, changes=counted
    ):
        raise _too_many(line, max(0, sent - back))


def _too_many(line: OrderLine, left: int) -> MoveRefusedError:
    text = _("Of line %(line)s only %(left)s pieces can come back.")
    return MoveRefusedError(text % {"line": line.position, "left": left})


def _credit(
    change: ChangeRequest,
    amounts: Mapping[OrderLine, int],
    gone: Mapping[OrderLine, int],
    *,
    actor: User,
) -> Return:
    """Write the credit note, with a line for each line."""
    order = change.order
    rows = [
        _credit_line(change, line, count, gone[line], place)
        for place, (line, count) in enumerate(amounts.items(), start=1)
    ]
    note = Return(
        number=_number(change),
        customer=order.customer,
        order=order,
        returned_at=timezone.now(),
        country=order.country,
        currency=order.currency,
        total_minor=sum(row.total_minor for row in rows),
    )
    save_with_history(note, actor=actor)
    equal: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        key = (row.product_id, row.quantity, row.source_price)
        row.parent, row.occurrence = note, equal[key]
        equal[key] += 1
    history.bulk_create(rows, actor=actor)
    return note


def _credit_line(
    change: ChangeRequest, line: OrderLine, count: int, gone: int, place: int
) -> ReturnLine:
    goods_for_goods = change.kind == ChangeKind.EXCHANGE
    return ReturnLine(
        order_line=line,
        position=place,
        product_id=line.product_id,
        description=line.description,
        quantity=-count,
        source_price=0 if goods_for_goods else line.source_price,
        total_minor=0 if goods_for_goods else -line.worth(count, gone).minor,
        currency=line.currency,
    )


def _number(change: ChangeRequest) -> str:
    """Return a number for the next credit note of a request; its order is locked."""
    before = Return.objects.filter(number__startswith=f"{change}-").count()
    return f"{change}-{before + 1}"
