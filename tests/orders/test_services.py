"""Verbs on orders: moves between states, and what lines hold for refunds."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.money import Money
from orders import services
from orders.models import Order, OrderLine
from orders.states import ORDER
from tests.factories import make_order

Status = Order.Status


def line_of(order: Order) -> OrderLine:
    return order.lines.get()


@pytest.mark.parametrize("status", [Status.PLACED, Status.PAID])
def test_cancel_before_shipping_is_on_record_with_person_and_reason(eve: User, status: str) -> None:
    order = make_order(1_000, status=status)
    services.cancel_order(order, actor=eve, reason="Ordered twice")
    assert Order.objects.get(pk=order.pk).status == Status.CANCELLED
    event = Event.objects.about(order).get()
    assert (event.verb, event.actor, event.reason) == ("orders.cancelled", eve, "Ordered twice")
    row = order.history.latest()
    assert (row.status, row.history_user, row.history_change_reason) == (
        Status.CANCELLED,
        eve,
        "Ordered twice",
    )


@pytest.mark.parametrize("status", [Status.SHIPPED, Status.DELIVERED, Status.CANCELLED])
def test_cancel_after_shipping_is_refused_and_changes_nothing(eve: User, status: str) -> None:
    order = make_order(1_000, status=status)
    with pytest.raises(services.MoveRefusedError):
        services.cancel_order(order, actor=eve, reason="Too late")
    assert Order.objects.get(pk=order.pk).status == status
    assert not Event.objects.about(order).exists()


def test_cancel_of_an_order_that_moved_meanwhile_is_refused(eve: User) -> None:
    order = make_order(1_000)
    seen_before = Order.objects.get(pk=order.pk)
    services.mark_shipped(order, actor=eve)
    with pytest.raises(services.MoveRefusedError):
        services.cancel_order(seen_before, actor=eve, reason="Late click")
    assert Order.objects.get(pk=order.pk).status == Status.SHIPPED


def test_cancel_without_reason_is_refused(eve: User) -> None:
    with pytest.raises(ValidationError):
        services.cancel_order(make_order(1_000), actor=eve, reason="  ")


def test_cancel_without_the_right_is_refused(nia: User) -> None:
    with pytest.raises(PermissionDenied):
        services.cancel_order(make_order(1_000), actor=nia, reason="Because")


def test_order_goes_from_placed_to_delivered_step_by_step(eve: User) -> None:
    order = make_order(1_000, status=Status.PLACED)
    services.mark_paid(order, actor=None)
    services.mark_shipped(order, actor=eve)
    services.mark_delivered(order, actor=eve)
    verbs = list(Event.objects.about(order).order_by("id").values_list("verb", flat=True))
    assert verbs == [
        "orders.paid",
        "orders.parcel_sent",
        "orders.shipped",
        "orders.parcel_arrived",
        "orders.delivered",
    ]


def test_shipping_an_unpaid_order_is_refused(eve: User) -> None:
    with pytest.raises(services.MoveRefusedError):
        services.mark_shipped(make_order(1_000, status=Status.PLACED), actor=eve)


def test_every_state_has_its_row_of_transitions() -> None:
    assert set(ORDER) == set(Status)


def test_line_holds_no_more_than_it_cost(eve: User) -> None:
    line = line_of(make_order(1_000))
    services.reserve_line(line, Money(600, "GBP"), actor=eve, reason="Broken")
    with pytest.raises(services.LineLimitError, match=r"£4\.00"):
        services.reserve_line(line, Money(401, "GBP"), actor=eve, reason="Broken")
    services.reserve_line(line, Money(400, "GBP"), actor=eve, reason="Broken")
    line.refresh_from_db()
    assert line.reserved_minor == 1_000


def test_line_refuses_another_currency(eve: User) -> None:
    with pytest.raises(services.LineLimitError):
        services.reserve_line(
            line_of(make_order(1_000)), Money(1, "EUR"), actor=eve, reason="Broken"
        )


def test_line_limit_stands_in_the_database_too(db: None) -> None:
    line = line_of(make_order(1_000))
    line.reserved_minor = 1_001
    with pytest.raises(IntegrityError), transaction.atomic():
        line.save()


def test_line_lets_go_of_no_more_than_it_holds(eve: User) -> None:
    line = line_of(make_order(1_000))
    services.reserve_line(line, Money(600, "GBP"), actor=eve, reason="Broken")
    services.release_line(line, Money(600, "GBP"), actor=eve, reason="Rejected")
    assert line.reserved_minor == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        services.release_line(line, Money(1, "GBP"), actor=eve, reason="Again")
