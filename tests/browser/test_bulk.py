"""Journeys over many rows: ship the ticked orders, decide several requests at once."""

import pytest
from playwright.sync_api import expect

from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event
from backoffice.money import Money
from orders.models import Order
from payments import services as payments
from tests.browser.stage import Stage
from tests.factories import make_order, make_payment
from tests.walker.world import World

pytestmark = pytest.mark.browser


def test_ticked_orders_are_shipped_line_by_line(stage: Stage, world: World) -> None:
    orders = [make_order(1_000), make_order(2_000), make_order(500, status=Order.Status.PLACED)]
    oli = stage.enter(world.people["oli"])
    oli.go("Orders")
    for order in orders:
        oli.page.get_by_role("checkbox", name=f"Tick {order.number}").check()
    oli.look("orders-ticked")
    oli.page.get_by_role("button", name="Mark as shipped").click()
    oli.sees("3 ticked rows")
    oli.sees("An order that is “Placed” cannot become “Shipped”.")
    oli.look("orders-ship-several")
    oli.page.get_by_role("button", name="Mark as shipped: 2 rows").click()
    oli.sees("Mark as shipped: 2 rows.")
    states = [Order.objects.get(pk=order.pk).status for order in orders]
    assert states == [Order.Status.SHIPPED, Order.Status.SHIPPED, Order.Status.PLACED]
    assert Event.objects.filter(verb="orders.shipped").count() == 2


def test_several_requests_are_decided_at_once_and_one_fails(stage: Stage, world: World) -> None:
    refunds = []
    for pence in (1_000, 2_000):
        order = make_order(pence)
        make_payment(order)
        refunds.append(
            payments.request_refund(
                order, Money(pence, "GBP"), actor=world.people["ann"], reason="Arrived broken"
            )
        )
    max_ = stage.enter(world.people["max"])
    max_.go("Approvals")
    max_.look("approvals")
    max_.click("Decide several")
    for refund in refunds:
        max_.page.get_by_role("checkbox", name=f"Refund {refund.amount}").check()
    max_.page.get_by_label("Approve the ticked ones").check()
    max_.page.get_by_label("Comment").fill("photos seen")
    max_.look("approvals-several")
    type(refunds[1]).objects.filter(pk=refunds[1].pk).update(amount_minor=1)
    max_.page.get_by_role("button", name="Decide the ticked ones").click()
    max_.sees("The record was changed since this was asked for")
    max_.look("approvals-several-done")
    keys = [str(refund.pk) for refund in refunds]
    decided = ApprovalRequest.objects.filter(subject_id__in=keys).order_by("id")
    assert list(decided.values_list("state", flat=True)) == ["executed", "void"]
    expect(max_.page.get_by_role("row")).to_have_count(3)
