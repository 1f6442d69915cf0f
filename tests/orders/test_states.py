"""The tables of states: every state has its row, and counts of pieces read as people say them."""

from typing import Any

import pytest

from orders.models import ChangeRequest, Order, OrderLine, Parcel
from orders.states import (
    BY_ORDER,
    CHANGE,
    LINE,
    ORDER,
    PARCEL,
    ChangeState,
    LineState,
    OrderState,
    ParcelState,
    Pieces,
    before,
    still_ahead,
)
from tests.factories import make_line, make_order


@pytest.mark.parametrize(
    ("table", "states"),
    [(ORDER, OrderState), (PARCEL, ParcelState), (CHANGE, ChangeState), (BY_ORDER, OrderState)],
)
def test_every_state_has_its_row_and_leads_to_known_ones(table: Any, states: Any) -> None:
    assert set(table) == set(states)
    if table is not BY_ORDER:
        assert {late for after in table.values() for late in after} <= set(states)


def test_columns_hold_the_states_of_the_tables() -> None:
    assert set(Order._meta.get_field("status").choices or ()) == set(OrderState.choices)
    assert set(Parcel._meta.get_field("state").choices or ()) == set(ParcelState.choices)
    assert set(ChangeRequest._meta.get_field("state").choices or ()) == set(ChangeState.choices)


@pytest.mark.parametrize(
    ("pieces", "state"),
    [
        (Pieces(4), "open"),
        (Pieces(4, shipped=1), "partly_shipped"),
        (Pieces(4, cancelled=1, shipped=3), "shipped"),
        (Pieces(4, cancelled=4), "cancelled"),
        (Pieces(4, shipped=4, delivered=2), "partly_delivered"),
        (Pieces(4, cancelled=2, shipped=2, delivered=2), "delivered"),
        (Pieces(4, shipped=4, delivered=4, returned=1), "partly_returned"),
        (Pieces(4, cancelled=1, shipped=3, delivered=3, returned=3), "returned"),
    ],
)
def test_line_is_called_by_what_became_of_its_pieces(pieces: Pieces, state: str) -> None:
    assert pieces.state == state


def test_each_state_of_a_line_can_be_reached() -> None:
    assert {state for state, _holds in LINE} == set(LineState)


def test_what_an_order_left_behind_is_not_ahead_of_it() -> None:
    assert still_ahead(ORDER, "placed") == {"paid", "shipped", "delivered", "cancelled"}
    assert still_ahead(ORDER, "shipped") == {"delivered"}
    assert still_ahead(ORDER, "delivered") == frozenset()


def test_lost_parcel_may_turn_up_and_a_delivered_one_stays() -> None:
    assert before(PARCEL, ParcelState.DELIVERED) == {ParcelState.SHIPPED, ParcelState.LOST}
    assert PARCEL[ParcelState.DELIVERED] == frozenset()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("placed", "open"),
        ("paid", "open"),
        ("shipped", "shipped"),
        ("delivered", "delivered"),
        ("cancelled", "cancelled"),
    ],
)
def test_line_of_an_order_from_a_sheet_reads_by_the_order(status: str, state: str) -> None:
    order = make_order(status=status)
    make_line(order, 1_000, quantity=4)
    line = OrderLine.objects.select_related("order").get()
    assert (line.pieces.state, line.shipped_quantity) == (state, 0)


@pytest.mark.django_db
def test_parts_of_a_line_add_up_to_it_whatever_the_parts() -> None:
    order = make_order()
    line = make_line(order, 1_000, quantity=7)
    for cuts in ((1, 2, 4), (7,), (1,) * 7, (3, 3, 1)):
        gone, sums = 0, []
        for count in cuts:
            sums.append(line.worth(count, gone).minor)
            gone += count
        assert sum(sums) == 1_000
