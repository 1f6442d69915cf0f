"""Sending: parcels, and what their state makes of lines and order."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import history, verbs
from backoffice.audit.services import record, save_with_history, update_where
from orders.models import ChangeRequest, Order, OrderLine, Parcel, ParcelLine
from orders.services.moves import (
    MoveRefusedError,
    locked,
    move,
    need_reason,
    require,
    settle,
    why_not,
)
from orders.states import PARCEL, OrderState, ParcelState, before

SHIP = "orders.ship_order"
VERBS = {
    ParcelState.PREPARED: verbs.register("orders.parcel_prepared", gettext_lazy("Parcel prepared")),
    ParcelState.SHIPPED: verbs.register("orders.parcel_sent", gettext_lazy("Parcel sent")),
    ParcelState.DELIVERED: verbs.register("orders.parcel_arrived", gettext_lazy("Parcel arrived")),
    ParcelState.LOST: verbs.register("orders.parcel_lost", gettext_lazy("Parcel lost")),
    ParcelState.CANCELLED: verbs.register("orders.parcel_dropped", gettext_lazy("Parcel not sent")),
}  # fmt: skip
"""State -> the verb of coming into it."""

type Amounts = Mapping[OrderLine, int]


@dataclass(frozen=True, slots=True)
class Carriage:
    """Who carries a parcel, and under which number."""

    carrier: str = ""
    tracking: str = ""


def mark_shipped(order: Order, *, actor: User, reason: str = "") -> None:
    """Send all that is still open, in one parcel for each seller.

    Raises PermissionDenied, MoveRefusedError.
    """
    require(actor, SHIP)
    with transaction.atomic():
        _ready(order)
        lines = list(order.lines.select_related("order", "seller").order_by("position"))
        todo = {line: line.pieces.open for line in lines if line.pieces.open}
        all_of_it = {"shipped_quantity": F("quantity") - F("cancelled_quantity")}
        keys = [line.pk for line in todo]
        history.update(order.lines.filter(pk__in=keys), actor=actor, changes=all_of_it)
        for amounts in by_seller(todo).values():
            _parcel(order, amounts, actor=actor, reason=reason, **_out(Carriage()))
        move(order, OrderState.SHIPPED, actor=actor, reason=reason)


def send_parcel(
    order: Order, amounts: Amounts, *, actor: User, carriage: Carriage | None = None
) -> list[Parcel]:
    """Send these pieces of a paid order: one parcel for each seller, under one number.

    Raises PermissionDenied, MoveRefusedError, ValidationError for more than is open.
    """
    require(actor, SHIP)
    with transaction.atomic():
        _ready(order)
        lines = order.lines.select_related("order", "seller").in_bulk([one.pk for one in amounts])
        wanted = {lines[one.pk]: count for one, count in amounts.items() if one.pk in lines}
        if len(wanted) < len(amounts):
            raise ValidationError(_("This line belongs to another order."))
        if not any(wanted.values()):
            raise ValidationError(_("Say how many pieces leave."))
        parcels = [
            _send(order, part, carriage or Carriage(), actor=actor)
            for part in by_seller(wanted).values()
        ]
        settle(order, actor=actor)
    return parcels


def mark_delivered(order: Order, *, actor: User, reason: str = "") -> None:
    """Note that all of a sent order arrived, with its parcels. Raises as `mark_shipped` does."""
    require(actor, SHIP)
    with transaction.atomic():
        locked(order)
        if refused := why_not(order, OrderState.DELIVERED):
            raise MoveRefusedError(refused)
        for parcel in order.parcels.filter(state=ParcelState.SHIPPED, replaces=None):
            _arrive(parcel, actor=actor, reason=reason)
        move(order, OrderState.DELIVERED, actor=actor, reason=reason)


def parcel_arrived(parcel: Parcel, *, actor: User) -> None:
    """Note that a parcel arrived; the last one takes its order along.

    Raises PermissionDenied, MoveRefusedError.
    """
    require(actor, SHIP)
    with transaction.atomic():
        locked(parcel.order)
        _arrive(parcel, actor=actor)
        settle(parcel.order, actor=actor)


def parcel_lost(parcel: Parcel, *, actor: User, reason: str) -> None:
    """Note that a parcel is lost. Its pieces count as sent; a refund is asked for by itself.

    Raises PermissionDenied, MoveRefusedError, ValidationError without a reason.
    """
    _move_parcel(parcel, ParcelState.LOST, actor=actor, reason=reason)


def drop_parcel(parcel: Parcel, *, actor: User, reason: str) -> None:
    """Do not send a prepared parcel after all. Raises as `parcel_lost` does."""
    _move_parcel(parcel, ParcelState.CANCELLED, actor=actor, reason=reason)


def send_prepared(parcel: Parcel, *, actor: User, carriage: Carriage | None = None) -> None:
    """Send a parcel that was made ready (a replacement). Raises as `parcel_arrived` does."""
    require(actor, SHIP)
    with transaction.atomic():
        changes = _out(carriage or Carriage())
        _bring(parcel, ParcelState.SHIPPED, actor=actor, changes=changes)


def prepare_replacement(change: ChangeRequest, amounts: Amounts, *, actor: User) -> list[Parcel]:
    """Make parcels ready with new pieces for those that came back."""
    return [
        _parcel(change.order, part, actor=actor, replaces=change, state=ParcelState.PREPARED)
        for part in by_seller(amounts).values()
    ]


def by_seller(amounts: Amounts) -> dict[int, dict[OrderLine, int]]:
    """Return seller -> line -> pieces, without lines of no pieces."""
    found: dict[int, dict[OrderLine, int]] = defaultdict(dict)
    for line, count in amounts.items():
        if count:
            found[line.seller_id][line] = count
    return found


def _ready(order: Order) -> None:
    """Lock the order; raise MoveRefusedError where it may not be sent."""
    locked(order)
    if refused := why_not(order, OrderState.SHIPPED):
        raise MoveRefusedError(refused)


def _send(order: Order, amounts: Amounts, carriage: Carriage, *, actor: User) -> Parcel:
    for line, count in amounts.items():
        sent = update_where(
            line,
            Q(quantity__gte=F("shipped_quantity") + F("cancelled_quantity") + count),
            actor=actor,
            changes={"shipped_quantity": F("shipped_quantity") + count},
        )
        if not sent:
            raise _too_many(line)
    return _parcel(order, amounts, actor=actor, **_out(carriage))


def _out(carriage: Carriage) -> dict[str, Any]:
    """Return what a parcel that leaves now holds."""
    return {
        "state": ParcelState.SHIPPED,
        "sent_at": timezone.now(),
        "carrier": carriage.carrier,
        "tracking": carriage.tracking,
    }


def _parcel(
    order: Order, amounts: Amounts, *, actor: User, reason: str = "", **values: object
) -> Parcel:
    """Make a parcel of lines of one seller, with its event."""
    line = next(iter(amounts))
    parcel = Parcel(order=order, seller=line.seller, **values)
    save_with_history(parcel, actor=actor, reason=reason)
    ParcelLine.objects.bulk_create(
        ParcelLine(parcel=parcel, order_line=line, quantity=count)
        for line, count in amounts.items()
    )
    facts = {"pieces": sum(amounts.values())}
    verb = VERBS[ParcelState(parcel.state)]
    record(verb, actor=actor, subject=parcel, also=[order], reason=reason, context=facts)
    return parcel


def _too_many(line: OrderLine) -> MoveRefusedError:
    line.refresh_from_db()
    words = {"line": line.position, "left": line.pieces.open}
    return MoveRefusedError(
        _("Of line %(line)s only %(left)s pieces are still to be sent.") % words
    )


def _move_parcel(parcel: Parcel, to: ParcelState, *, actor: User, reason: str) -> None:
    need_reason(reason)
    require(actor, SHIP)
    with transaction.atomic():
        _bring(parcel, to, actor=actor, reason=reason)


def _arrive(parcel: Parcel, *, actor: User, reason: str = "") -> None:
    changes = {"arrived_at": timezone.now()}
    _bring(parcel, ParcelState.DELIVERED, actor=actor, reason=reason, changes=changes)
    if parcel.replaces_id is not None:
        return  # its pieces stand for others, which were counted when those arrived
    for piece in parcel.lines.select_related("order_line"):
        update_where(
            piece.order_line,
            Q(),
            actor=actor,
            reason=reason,
            changes={"delivered_quantity": F("delivered_quantity") + piece.quantity},
        )


def _bring(
    parcel: Parcel,
    to: ParcelState,
    *,
    actor: User,
    reason: str = "",
    changes: Mapping[str, object] | None = None,
) -> None:
    """Bring a parcel into a state, with history and event. Raises MoveRefusedError."""
    moved = update_where(
        parcel,
        Q(state__in=before(PARCEL, to)),
        actor=actor,
        reason=reason,
        changes={"state": to, **(changes or {})},
    )
    if not moved:
        parcel.refresh_from_db()
        words = {"before": parcel.get_state_display(), "after": to.label}
        text = _("A parcel that is “%(before)s” cannot become “%(after)s”.")
        raise MoveRefusedError(text % words)
    record(VERBS[to], actor=actor, subject=parcel, also=[parcel.order], reason=reason)
