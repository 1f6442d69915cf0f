"""What orders ask for: parts over all payments of an order."""

import pytest
from django.core.exceptions import PermissionDenied

from backoffice.accounts.models import User
from backoffice.money import Money
from orders.models import Order
from orders.services import refunding
from orders.services.refunding import Part
from payments.models import Refund
from payments.services import RefundRefusedError
from payments.services.asking import ask_for_parts
from tests.factories import make_charge, make_order, make_payment


def pounds(minor: int) -> Money:
    return Money(minor, "GBP")


@pytest.fixture
def order(db: None) -> Order:
    """£6.00, £4.00 and £2.00 of postage."""
    order = make_order(600, 400)
    make_charge(order, 200)
    return order


def everything(order: Order) -> list[Part]:
    lines = [Part(line.total, line=line, quantity=1) for line in order.lines.order_by("position")]
    return [*lines, Part(pounds(200), charge=order.charges.get())]


def made() -> list[tuple[int, list[int]]]:
    """Return amount and parts of each refund, oldest first."""
    return [
        (refund.amount_minor, [part.amount_minor for part in refund.parts.order_by("pk")])
        for refund in Refund.objects.order_by("pk")
    ]


def test_one_payment_gives_all_in_one_refund(order: Order, eve: User) -> None:
    make_payment(order, captured=1_200)
    told = refunding.ask(order, everything(order), actor=eve, reason="Cancelled")
    assert "£12.00" in told
    assert made() == [(1_200, [600, 400, 200])]


def test_two_payments_share_the_parts_each_to_its_end(order: Order, eve: User) -> None:
    make_payment(order, captured=700)
    make_payment(order, captured=500)
    ask_for_parts(order, everything(order), actor=eve, reason="Cancelled")
    assert made() == [(700, [600, 100]), (500, [300, 200])]
    assert [line.reserved_minor for line in order.lines.order_by("position")] == [600, 400]


def test_order_without_payment_asks_for_nothing(order: Order, eve: User) -> None:
    assert ask_for_parts(order, everything(order), actor=eve, reason="Cancelled") == ""
    assert made() == []


def test_less_captured_than_asked_holds_nothing(order: Order, eve: User) -> None:
    make_payment(order, captured=700)
    make_payment(order, captured=400)
    with pytest.raises(RefundRefusedError, match="No single payment"):
        ask_for_parts(order, everything(order), actor=eve, reason="Cancelled")
    assert made() == []
    assert {payment.reserved_minor for payment in order.payments.all()} == {0}


def test_asking_needs_the_right(order: Order, nia: User) -> None:
    make_payment(order, captured=1_200)
    with pytest.raises(PermissionDenied):
        ask_for_parts(order, everything(order), actor=nia, reason="Cancelled")
