"""Real processes that act at the same moment: one of them wins, whatever the database."""

from contextlib import ExitStack

import pytest

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from orders import services
from orders.models import ChangeRequest, Order, OrderLine, Return
from orders.services import Asked
from tests.factories import make_line, make_order
from tests.people import make_person
from tests.processes import python

pytestmark = pytest.mark.django_db(transaction=True)


def race(*calls: tuple[object, ...]) -> list[str]:
    """Let one process for each call act at the same moment; return what they say."""
    with ExitStack() as stack:
        children = [
            stack.enter_context(python("-m", "tests.orders.child", *(str(part) for part in call)))
            for call in calls
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        return [child.stdout.readline().strip() for child in children if child.stdout]


def order_of(pieces: int, status: str = Order.Status.PAID) -> Order:
    order = make_order(status=status)
    make_line(order, 1_000, quantity=pieces)
    return order


def request_for(order: Order, actor: User, kind: str, pieces: int) -> ChangeRequest:
    asked = Asked(kind=kind, why="mind", pieces={order.lines.get(): pieces})
    return services.ask_change(order, asked, actor=actor)


def test_two_who_decide_at_once_one_is_told_that_the_other_was_faster(eve: User, oli: User) -> None:
    bob = make_person("bob", "support")
    order = order_of(2)
    change = request_for(order, eve, "cancel", 1)
    said = race(("approve", change.pk, bob.pk), ("reject", change.pk, oli.pk))
    assert sorted(said) == ["MoveRefusedError", "done"]
    decided = ChangeRequest.objects.get()
    verbs = Event.objects.about(change).exclude(verb="orders.change_requested")
    assert [event.actor for event in verbs] == [decided.decided_by]
    line = OrderLine.objects.get()
    assert line.cancelled_quantity == (1 if decided.state == "done" else 0)


def test_three_who_send_two_pieces_send_two(eve: User, oli: User) -> None:
    bob = make_person("bob", "support")
    order = order_of(2)
    said = race(*[("ship", order.pk, user.pk) for user in (eve, oli, bob)])
    assert sorted(said) == ["MoveRefusedError", "done", "done"]
    assert (OrderLine.objects.get().shipped_quantity, order.parcels.count()) == (2, 2)


def test_order_is_either_sent_or_cancelled(eve: User, oli: User) -> None:
    order = order_of(1)
    said = race(("ship", order.pk, eve.pk), ("cancel", order.pk, oli.pk))
    assert sorted(said) == ["MoveRefusedError", "done"]
    order.refresh_from_db()
    sent = OrderLine.objects.get().shipped_quantity
    assert (order.status, sent) in {("shipped", 1), ("cancelled", 0)}


def test_same_reference_at_once_makes_one_request(eve: User) -> None:
    order = order_of(3)
    assert race(*[("ask", order.pk, eve.pk)] * 3) == ["done"] * 3
    assert ChangeRequest.objects.count() == 1


def test_goods_that_two_note_at_once_are_counted_once(eve: User, oli: User) -> None:
    bob = make_person("bob", "support")
    order = order_of(2, status=Order.Status.DELIVERED)
    change = request_for(order, eve, "return", 1)
    services.approve_change(change, actor=bob)
    said = race(("receive", change.pk, oli.pk), ("receive", change.pk, bob.pk))
    assert sorted(said) == ["MoveRefusedError", "done"]
    assert (Return.objects.count(), OrderLine.objects.get().returned_quantity) == (1, 1)
