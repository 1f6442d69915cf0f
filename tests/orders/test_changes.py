"""Change requests: what may be asked, who decides, what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.money import Money
from backoffice.policy import may
from orders import services
from orders.models import ChangeRequest, Charge, DeliveryAddress, Order, OrderLine, Return
from orders.services import Asked, refunding
from orders.services.changes import DECIDE
from tests.factories import make_line, make_order
from tests.people import make_person

ADDRESS = "Quzzwick Lane 41, Vexhollow"
Status = Order.Status


@dataclass
class Till:
    """Stands where payments stand: notes what it is asked for."""

    asked: list[tuple[str, list[tuple[str, int, int]], str]] = field(default_factory=list)
    refuses: Exception | None = None

    def __call__(
        self, order: Order, parts: Sequence[refunding.Part], *, actor: User, reason: str
    ) -> str:
        if self.refuses:
            raise self.refuses
        told = [
            (f"line {part.line.position}" if part.line else "charge", part.quantity,
             part.amount.minor)
            for part in parts
        ]  # fmt: skip
        self.asked.append((order.number, told, reason))
        return "A refund is asked for."


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Till:
    found = Till()
    monkeypatch.setattr(refunding, "_askers", [found])
    return found


@pytest.fixture
def bob(db: None) -> User:
    """A second person of the support."""
    return make_person("bob", "support")


def order_of(*quantities: int, status: str = Status.PAID, postage: int = 0) -> Order:
    order = make_order(status=status)
    for place, count in enumerate(quantities, start=1):
        make_line(order, 1_000 * count + 1, position=place, quantity=count)
    if postage:
        Charge.objects.create(
            order=order, code="POST", quantity=1, source_price=1, total_minor=postage
        )
    return order


def lines_of(order: Order) -> list[OrderLine]:
    return list(order.lines.select_related("order").order_by("position"))


def ask(order: Order, actor: User, kind: str, *counts: int, **more: str) -> ChangeRequest:
    """Ask for so many pieces of the first lines; of none for the whole order."""
    pieces = dict(zip(lines_of(order), counts, strict=False))
    values = {"why": "mind", **more}
    return services.ask_change(order, Asked(kind=kind, pieces=pieces, **values), actor=actor)


def states_of(order: Order) -> list[str]:
    fresh = Order.objects.get(pk=order.pk)
    return [fresh.status, *(line.pieces.state for line in lines_of(fresh))]


# -- cancelling


def test_cancelling_the_whole_order_asks_for_all_its_money(
    eve: User, bob: User, till: Till
) -> None:
    order = order_of(2, postage=450)
    change = ask(order, eve, "cancel")
    assert (change.state, states_of(order)) == ("requested", ["paid", "open"])
    services.approve_change(change, actor=bob, comment="Fine")
    assert states_of(order) == ["cancelled", "cancelled"]
    parts = [("line 1", 2, 2_001), ("charge", 0, 450)]
    assert till.asked == [(order.number, parts, "Changed their mind")]
    change.refresh_from_db()
    assert (change.state, change.decided_by) == ("done", bob)
    assert change.outcome == "The order is cancelled. A refund is asked for."


def test_decision_is_on_record_with_person_and_words(eve: User, bob: User, till: Till) -> None:
    change = ask(order_of(1), eve, "cancel")
    services.approve_change(change, actor=bob, comment="Fine")
    told = [(event.verb, event.actor, event.reason) for event in Event.objects.about(change)]
    assert told == [
        ("orders.change_done", bob, "Fine"),
        ("orders.change_requested", eve, ""),
    ]
    assert change.history.first().history_user == bob


def test_some_pieces_are_cancelled_and_the_rest_is_sent(eve: User, bob: User, till: Till) -> None:
    order = order_of(3, 1)
    services.approve_change(ask(order, eve, "cancel", 2), actor=bob)
    assert states_of(order) == ["paid", "open", "open"]
    assert till.asked[0][1] == [("line 1", 2, 2_000)]
    services.mark_shipped(order, actor=eve)
    assert states_of(order) == ["shipped", "shipped", "shipped"]
    assert [line.pieces.shipped for line in lines_of(order)] == [1, 1]


def test_cancelling_what_is_left_of_a_sent_order_makes_it_shipped(
    eve: User, bob: User, till: Till
) -> None:
    order = order_of(2, postage=450)
    services.send_parcel(order, {lines_of(order)[0]: 1}, actor=eve)
    services.approve_change(ask(order, eve, "cancel"), actor=bob)
    assert states_of(order) == ["shipped", "shipped"]
    assert till.asked[0][1] == [("line 1", 1, 1_000)]  # what left is paid, and so is its postage


def test_cancelling_piece_by_piece_cancels_the_order_and_adds_up(
    eve: User, bob: User, till: Till
) -> None:
    order = order_of(3)
    for _time in range(3):
        services.approve_change(ask(order, eve, "cancel", 1), actor=bob)
    assert states_of(order) == ["cancelled", "cancelled"]
    assert sum(part[2] for _number, parts, _why in till.asked for part in parts) == 3_001


def test_what_a_refund_holds_already_is_not_asked_for_again(
    eve: User, bob: User, till: Till
) -> None:
    order = order_of(1)
    services.reserve_line(lines_of(order)[0], Money(700, "GBP"), actor=eve, reason="A scratch")
    services.approve_change(ask(order, eve, "cancel"), actor=bob)
    assert till.asked[0][1] == [("line 1", 1, 301)]


def test_refund_that_cannot_be_asked_for_stops_the_decision(
    eve: User, bob: User, till: Till
) -> None:
    order = order_of(1)
    change = ask(order, eve, "cancel")
    for refusal, words in (
        (PermissionDenied(), "no right to ask for refunds"),
        (ValidationError("Refunds are stopped."), "Refunds are stopped"),
    ):
        till.refuses = refusal
        with pytest.raises(ValidationError, match=words):
            services.approve_change(ChangeRequest.objects.get(pk=change.pk), actor=bob)
    assert (states_of(order), ChangeRequest.objects.get().state) == (["paid", "open"], "requested")


def test_order_that_left_meanwhile_cannot_be_cancelled_by_an_old_request(
    eve: User, bob: User, till: Till
) -> None:
    order = order_of(1)
    change = ask(order, eve, "cancel")
    services.mark_shipped(order, actor=eve)
    with pytest.raises(services.MoveRefusedError, match="cannot be cancelled any more"):
        services.approve_change(change, actor=bob)
    assert ChangeRequest.objects.get().state == "requested"
    assert till.asked == []


# -- what may be asked


@pytest.mark.parametrize(
    ("kind", "status", "counts", "more", "words"),
    [
        ("cancel", "shipped", (), {}, "cannot be cancelled any more"),
        ("cancel", "paid", (3,), {}, "only 2 pieces"),
        ("return", "paid", (1,), {}, "only 0 pieces"),
        ("return", "delivered", (3,), {}, "only 2 pieces"),
        ("return", "delivered", (), {}, "what comes back"),
        ("exchange", "delivered", (3,), {}, "only 2 pieces"),
        ("address", "shipped", (), {"address": ADDRESS}, "cannot be changed"),
        ("address", "paid", (), {}, "Give the new address"),
        ("address", "paid", (1,), {"address": ADDRESS}, "whole order"),
        ("address", "paid", (), {"address": "Q••••••• L••• 41"}, "not its mask"),
        ("cancel", "paid", (), {"address": ADDRESS}, "Only a new address"),
        ("cancel", "paid", (), {"why": "other"}, "needs a note"),
        ("cancel", "paid", (), {"why": "because"}, "Choose a reason"),
        ("swap", "paid", (), {}, "no such kind"),
    ],
)
def test_what_the_order_does_not_allow_is_refused_in_words(
    eve: User, kind: str, status: str, counts: tuple[int, ...], more: dict[str, str], words: str
) -> None:
    order = order_of(2, status=status)
    with pytest.raises(ValidationError, match=words):
        ask(order, eve, kind, *counts, **more)
    assert not ChangeRequest.objects.exists()


def test_pieces_of_another_request_are_not_asked_for_twice(eve: User) -> None:
    order = order_of(3, status=Status.DELIVERED)
    ask(order, eve, "return", 2)
    with pytest.raises(services.MoveRefusedError, match="only 1 pieces"):
        ask(order, eve, "exchange", 2)
    ask(order, eve, "exchange", 1)


def test_whole_order_and_address_are_asked_for_once(eve: User) -> None:
    order = order_of(3)
    ask(order, eve, "cancel")
    ask(order, eve, "address", address=ADDRESS)
    for kind, more in (("cancel", {}), ("address", {"address": "Elsewhere 1"})):
        with pytest.raises(ValidationError, match="already"):
            ask(order, eve, kind, **more)


def test_who_may_not_take_requests_down_takes_none(max_: User) -> None:
    with pytest.raises(PermissionDenied):
        ask(order_of(1), max_, "cancel")


# -- who decides


def test_who_took_it_down_decides_nothing_and_the_policy_says_so(eve: User, till: Till) -> None:
    change = ask(order_of(1), eve, "cancel")
    assert may(eve, DECIDE, change).allowed is False
    assert "does not decide" in may(eve, DECIDE, change).rule
    with pytest.raises(PermissionDenied):
        services.approve_change(change, actor=eve)
    with pytest.raises(PermissionDenied):
        services.reject_change(change, actor=eve, reason="No")
    assert ChangeRequest.objects.get().state == "requested"


def test_superuser_is_no_exception(till: Till, db: None) -> None:
    root = User.objects.create_superuser("root", email="root@example.com", password="x" * 20)
    change = ask(order_of(1), root, "cancel")
    with pytest.raises(PermissionDenied):
        services.approve_change(change, actor=root)


def test_database_refuses_an_own_decision_and_one_of_nobody(eve: User) -> None:
    change = ask(order_of(1), eve, "cancel")
    for column, value in (("decided_by_id", eve.pk), ("state", "done")):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE orders_changerequest SET {column} = %s WHERE id = %s",  # noqa: S608
                [value, change.pk],
            )


def test_finance_looks_and_decides_nothing(eve: User, max_: User, oli: User, till: Till) -> None:
    change = ask(order_of(1), eve, "cancel")
    assert may(max_, "view", change).allowed
    with pytest.raises(PermissionDenied):
        services.approve_change(change, actor=max_)
    services.approve_change(change, actor=oli)
    assert ChangeRequest.objects.get().state == "done"


def test_decided_request_is_not_decided_again(eve: User, bob: User, oli: User, till: Till) -> None:
    order = order_of(1)
    change = ask(order, eve, "cancel")
    old = ChangeRequest.objects.get()
    services.reject_change(change, actor=bob, reason="It is packed")
    with pytest.raises(services.MoveRefusedError, match="Rejected"):
        services.approve_change(old, actor=oli)
    with pytest.raises(services.MoveRefusedError):
        services.withdraw_change(ChangeRequest.objects.get(), actor=eve, reason="Thought again")
    assert (states_of(order), till.asked) == (["paid", "open"], [])


def test_rejecting_and_withdrawing_need_a_reason(eve: User, bob: User) -> None:
    change = ask(order_of(1), eve, "cancel")
    with pytest.raises(ValidationError):
        services.reject_change(change, actor=bob, reason=" ")
    with pytest.raises(ValidationError):
        services.withdraw_change(change, actor=eve, reason="")
    services.withdraw_change(change, actor=eve, reason="Thought again")
    assert ChangeRequest.objects.get().state == "withdrawn"


# -- goods


def test_return_waits_for_its_goods_and_then_asks_for_the_money(
    eve: User, bob: User, till: Till
) -> None:
    order = order_of(3, status=Status.DELIVERED)
    change = ask(order, eve, "return", 3, why="damaged")
    services.approve_change(change, actor=bob)
    assert (ChangeRequest.objects.get().state, till.asked) == ("approved", [])
    row = change.lines.get()
    services.receive(change, {row: 2}, actor=bob)
    assert (ChangeRequest.objects.get().state, states_of(order)[1]) == (
        "approved",
        "partly_returned",
    )
    services.receive(change, {row: 1}, actor=bob)
    assert (ChangeRequest.objects.get().state, states_of(order)[1]) == ("done", "returned")
    notes = Return.objects.order_by("id")
    assert [note.total_minor for note in notes] == [-2_000, -1_001]
    assert [part[2] for _number, parts, _why in till.asked for part in parts] == [2_000, 1_001]
    assert [line.quantity for note in notes for line in note.lines.all()] == [-2, -1]
    assert notes[0].number == f"{change}-1"


def test_more_than_was_approved_does_not_come_in(eve: User, bob: User, till: Till) -> None:
    order = order_of(3, status=Status.DELIVERED)
    change = ask(order, eve, "return", 1)
    with pytest.raises(services.MoveRefusedError, match="no goods are expected"):
        services.receive(change, {change.lines.get(): 1}, actor=bob)
    services.approve_change(change, actor=bob)
    with pytest.raises(services.MoveRefusedError, match="only 1 pieces"):
        services.receive(change, {change.lines.get(): 2}, actor=bob)
    assert (Return.objects.count(), lines_of(order)[0].returned_quantity) == (0, 0)


def test_what_a_sheet_says_came_back_counts(eve: User, bob: User, till: Till) -> None:
    order = order_of(3, status=Status.DELIVERED)
    line = lines_of(order)[0]
    back = Return.objects.create(
        number="C1", order=order, returned_at=order.placed_at, total_minor=-1_000
    )
    back.lines.create(
        order_line=line, position=1, product=line.product, quantity=-2, source_price=10,
        total_minor=-2_000,
    )  # fmt: skip
    with pytest.raises(services.MoveRefusedError, match="only 1 pieces"):
        ask(order, eve, "return", 2)
    change = ask(order, eve, "return", 1)
    services.approve_change(change, actor=bob)
    services.receive(change, {change.lines.get(): 1}, actor=bob)
    line.refresh_from_db()
    assert (line.returned_quantity, till.asked[0][1]) == (3, [("line 1", 1, 1_001)])


def test_exchange_makes_new_goods_ready_and_moves_no_money(
    eve: User, bob: User, till: Till
) -> None:
    order = order_of(2, status=Status.DELIVERED)
    change = ask(order, eve, "exchange", 1, why="fit")
    services.approve_change(change, actor=bob)
    told = services.receive(change, {change.lines.get(): 1}, actor=bob)
    parcel = order.parcels.get()
    assert (parcel.state, parcel.replaces, str(parcel) in told) == ("prepared", change, True)
    assert (till.asked, Return.objects.get().total_minor) == ([], 0)
    services.send_prepared(parcel, actor=bob)
    services.parcel_arrived(parcel, actor=bob)
    assert order.parcels.get().state == "delivered"
    assert lines_of(order)[0].shipped_quantity == 2  # the new one is not counted as sold


def test_goods_that_never_came_end_the_request(eve: User, bob: User, till: Till) -> None:
    order = order_of(2, status=Status.DELIVERED)
    change = ask(order, eve, "return", 1)
    services.approve_change(change, actor=bob)
    services.close_change(change, actor=bob, reason="A month is over")
    assert ChangeRequest.objects.get().state == "failed"
    with pytest.raises(services.MoveRefusedError):
        services.close_change(change, actor=bob, reason="Again")


def test_same_goods_price_and_count_twice_in_one_credit_note(
    eve: User, bob: User, till: Till
) -> None:
    order = make_order(status=Status.DELIVERED)
    first = make_line(order, 1_000, position=1)
    twin = OrderLine.objects.get(pk=first.pk)
    twin.pk, twin.position, twin.occurrence = None, 2, 1
    twin.save()
    change = ask(order, eve, "return", 1, 1)
    services.approve_change(change, actor=bob)
    services.receive(change, dict.fromkeys(change.lines.all(), 1), actor=bob)
    assert Return.objects.get().lines.count() == 2


# -- address


def test_new_address_is_set_and_shows_as_a_mask(eve: User, bob: User) -> None:
    order = order_of(1)
    change = ask(order, eve, "address", why="moved", address=ADDRESS)
    services.approve_change(change, actor=bob)
    target = DeliveryAddress.objects.get(order=order)
    assert "Quzzwick" not in f"{target.address}{change.address}{order.history.latest()}"
    with connection.cursor() as cursor:
        for table in ("deliveryaddress", "historicaldeliveryaddress", "changerequest"):
            cursor.execute(f"SELECT address FROM orders_{table}")  # noqa: S608
            stored = cursor.fetchall()
            assert stored
            assert "Quzzwick" not in str(stored)  # encrypted in the database too
    target.refresh_from_db()
    assert target.address == change.address


def test_address_is_not_changed_once_a_parcel_left(eve: User, bob: User) -> None:
    order = order_of(2)
    change = ask(order, eve, "address", why="moved", address=ADDRESS)
    services.send_parcel(order, {lines_of(order)[0]: 1}, actor=eve)
    with pytest.raises(services.MoveRefusedError, match="cannot be changed"):
        services.approve_change(change, actor=bob)
    assert not DeliveryAddress.objects.exists()


# -- the caller's reference


def test_same_reference_gives_the_same_request(eve: User) -> None:
    order = order_of(2)
    first = ask(order, eve, "address", address=ADDRESS, reference="shop-1", why="moved")
    again = ask(order, eve, "address", address=ADDRESS, reference="shop-1", why="moved")
    assert (again.pk, ChangeRequest.objects.count()) == (first.pk, 1)


@pytest.mark.parametrize(
    ("counts", "more"), [((2,), {}), ((1,), {"note": "x"}), ((1,), {"why": "late"})]
)
def test_reference_for_something_else_is_refused(
    eve: User, counts: tuple[int, ...], more: dict[str, str]
) -> None:
    order = order_of(2)
    ask(order, eve, "cancel", 1, reference="shop-1")
    with pytest.raises(services.ReferenceTakenError):
        ask(order, eve, "cancel", *counts, reference="shop-1", **more)
    ask(order, make_person("bob", "support"), "cancel", 1, reference="shop-1")


def test_note_is_kept_with_the_order(eve: User, max_: User, nia: User) -> None:
    order = order_of(1)
    services.add_note(order, " Called twice ", actor=max_)
    note = order.notes.get()
    assert (note.text, note.author) == ("Called twice", max_)
    assert Event.objects.about(order).get().verb == "orders.noted"
    with pytest.raises(ValidationError):
        services.add_note(order, "  ", actor=eve)
    with pytest.raises(PermissionDenied):
        services.add_note(order, "x", actor=nia)
