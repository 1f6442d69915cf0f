"""Sending: parcels, partial quantities, and what they make of lines and order."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from orders import services
from orders.models import Order, OrderLine, Parcel
from tests.factories import make_line, make_order, make_seller

Status = Order.Status


def order_of(*quantities: int, status: str = Status.PAID) -> Order:
    """Return an order with a line of so many pieces each, each of another seller."""
    order = make_order(status=status)
    for place, count in enumerate(quantities, start=1):
        seller = make_seller(f"shop-{place}")
        make_line(order, 1_000 * count, position=place, quantity=count, seller=seller)
    return order


def lines_of(order: Order) -> list[OrderLine]:
    return list(order.lines.select_related("order").order_by("position"))


def states_of(order: Order) -> list[str]:
    fresh = Order.objects.get(pk=order.pk)
    return [fresh.status, *(line.pieces.state for line in lines_of(fresh))]


def test_part_of_a_line_is_sent_and_the_rest_stays_open(eve: User) -> None:
    order = order_of(4, 2)
    (parcel,) = services.send_parcel(
        order,
        {lines_of(order)[0]: 3},
        actor=eve,
        carriage=services.Carriage("Royal Mail", "RM 1"),
    )
    assert states_of(order) == ["paid", "partly_shipped", "open"]
    assert lines_of(order)[0].pieces.open == 1
    assert (parcel.state, parcel.carrier, parcel.tracking) == ("shipped", "Royal Mail", "RM 1")
    event = Event.objects.about(order).get()
    assert (event.verb, event.actor, event.context) == ("orders.parcel_sent", eve, {"pieces": 3})
    assert order.lines.get(position=1).history.latest().history_user == eve


def test_the_last_piece_takes_the_order_along_and_arriving_does_too(eve: User) -> None:
    order = order_of(2, 1)
    first, second = lines_of(order)
    (one,) = services.send_parcel(order, {first: 1}, actor=eve)
    rest = services.send_parcel(order, {first: 1, second: 1}, actor=eve)
    assert len(rest) == 2  # one seller each
    assert [parcel.seller_id for parcel in rest] == [first.seller_id, second.seller_id]
    assert states_of(order) == ["shipped", "shipped", "shipped"]
    services.parcel_arrived(one, actor=eve)
    assert states_of(order)[0] == "shipped"
    for parcel in rest:
        services.parcel_arrived(parcel, actor=eve)
    assert states_of(order) == ["delivered", "delivered", "delivered"]


def test_marking_the_order_acts_on_what_is_still_open(eve: User) -> None:
    order = order_of(4, 2)
    services.send_parcel(order, {lines_of(order)[0]: 3}, actor=eve)
    services.mark_shipped(order, actor=eve)
    assert states_of(order) == ["shipped", "shipped", "shipped"]
    pieces = [line.quantity for parcel in order.parcels.all() for line in parcel.lines.all()]
    assert pieces == [3, 1, 2]
    services.mark_delivered(order, actor=eve)
    assert states_of(order) == ["delivered", "delivered", "delivered"]
    assert set(order.parcels.values_list("state", flat=True)) == {"delivered"}


def test_order_from_a_sheet_is_delivered_without_parcels(eve: User) -> None:
    order = order_of(4, status=Status.SHIPPED)
    services.mark_delivered(order, actor=eve)
    assert states_of(order) == ["delivered", "delivered"]
    assert order.lines.get().history.count() == 1  # no line was rewritten


def test_order_of_charges_alone_is_shipped(eve: User) -> None:
    order = make_order()
    services.mark_shipped(order, actor=eve)
    assert states_of(order) == ["shipped"]


def test_more_than_is_open_is_refused_in_words(eve: User) -> None:
    order = order_of(4)
    services.send_parcel(order, {lines_of(order)[0]: 3}, actor=eve)
    with pytest.raises(services.MoveRefusedError, match="only 1 pieces"):
        services.send_parcel(order, {lines_of(order)[0]: 2}, actor=eve)
    assert order.parcels.count() == 1


def test_line_of_another_order_and_no_pieces_are_refused(eve: User) -> None:
    order, other = order_of(2), order_of(2)
    with pytest.raises(ValidationError, match="another order"):
        services.send_parcel(order, {lines_of(other)[0]: 1}, actor=eve)
    with pytest.raises(ValidationError, match="how many"):
        services.send_parcel(order, {lines_of(order)[0]: 0}, actor=eve)
    assert not Parcel.objects.exists()


def test_order_of_which_some_left_is_not_cancelled_as_a_whole(eve: User) -> None:
    order = order_of(4)
    services.send_parcel(order, {lines_of(order)[0]: 1}, actor=eve)
    with pytest.raises(services.MoveRefusedError, match="sent already"):
        services.cancel_order(order, actor=eve, reason="Changed their mind")
    assert states_of(order) == ["paid", "partly_shipped"]


def test_lost_parcel_needs_a_reason_and_may_turn_up(eve: User) -> None:
    order = order_of(1)
    (parcel,) = services.send_parcel(order, {lines_of(order)[0]: 1}, actor=eve)
    with pytest.raises(ValidationError):
        services.parcel_lost(parcel, actor=eve, reason=" ")
    services.parcel_lost(parcel, actor=eve, reason="The carrier says so")
    event = Event.objects.about(parcel).latest("id")
    assert (event.verb, event.reason) == ("orders.parcel_lost", "The carrier says so")
    with pytest.raises(services.MoveRefusedError, match="Lost"):
        services.parcel_lost(parcel, actor=eve, reason="Again")
    services.parcel_arrived(parcel, actor=eve)
    assert states_of(order) == ["delivered", "delivered"]


def test_who_has_no_right_to_send_sends_nothing(max_: User) -> None:
    order = order_of(1, status=Status.PAID)
    with pytest.raises(PermissionDenied):
        services.send_parcel(order, {lines_of(order)[0]: 1}, actor=max_)
    with pytest.raises(PermissionDenied):
        services.mark_shipped(order, actor=max_)
    assert states_of(order) == ["paid", "open"]


@pytest.mark.parametrize(
    "counts",
    [
        {"shipped_quantity": 5},
        {"shipped_quantity": 3, "cancelled_quantity": 2},
        {"shipped_quantity": 1, "delivered_quantity": 2},
        {"shipped_quantity": 1, "returned_quantity": 2},
    ],
)
def test_counts_beyond_the_line_are_refused_by_the_database(
    db: None, counts: dict[str, int]
) -> None:
    (line,) = lines_of(order_of(4))
    for name, count in counts.items():
        setattr(line, name, count)
    with pytest.raises(IntegrityError), transaction.atomic():
        line.save()
