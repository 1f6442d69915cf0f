"""What refunds are for: pieces, amounts, charges and tax, to the last minor unit."""

import pytest

from backoffice.accounts.models import User
from backoffice.money import Money
from orders.models import Charge, Order, OrderLine
from orders.services import Asked as Wish
from orders.services import LineLimitError, approve_change, ask_change
from payments import services
from payments.models import Payment, Refund, RefundPart
from payments.services import Asked, RefundRefusedError
from payments.services.splitting import left_of
from tests.factories import make_charge, make_line, make_order, make_payment


@pytest.fixture
def order(db: None) -> Order:
    """£10.00 for three pieces (tax £1.67), £5.00 for one, £3.60 of postage (tax £0.60); paid."""
    order = make_order()
    line = make_line(order, 1_000, quantity=3)
    OrderLine.objects.filter(pk=line.pk).update(tax_minor=167)
    make_line(order, 500, position=2)
    make_charge(order, 360, tax=60)
    Order.objects.filter(pk=order.pk).update(total_minor=1_860)
    order.refresh_from_db()
    make_payment(order)
    return order


def line(order: Order, position: int) -> OrderLine:
    return order.lines.get(position=position)


def ask(order: Order, actor: User, *asked: Asked) -> Refund:
    return services.request_refund(order, list(asked), actor=actor, reason="Broken")


def parts(refund: Refund) -> list[tuple[int | None, int | None, int, int]]:
    """Return position of the line, pieces, amount and tax of each part."""
    return [
        (
            part.order_line.position if part.order_line else None,
            part.quantity,
            part.amount_minor,
            part.tax_minor,
        )
        for part in refund.parts.select_related("order_line").order_by("pk")
    ]


def held(order: Order) -> tuple[int, list[int], list[int]]:
    """Return what the payments, the lines and the charges hold."""
    return (
        sum(payment.reserved_minor for payment in order.payments.all()),
        [one.reserved_minor for one in order.lines.order_by("position")],
        [one.reserved_minor for one in order.charges.order_by("pk")],
    )


def test_one_refund_takes_pieces_an_amount_and_a_charge(order: Order, eve: User) -> None:
    refund = ask(
        order,
        eve,
        Asked(charge=order.charges.get()),
        Asked(line=line(order, 2), amount=Money(125, "GBP")),
        Asked(line=line(order, 1), quantity=1),
    )
    assert parts(refund) == [(1, 1, 333, 56), (2, None, 125, 0), (None, None, 360, 60)]
    assert refund.amount_minor == 818
    assert held(order) == (818, [333, 125], [360])


def test_pieces_one_after_the_other_end_at_zero(order: Order, eve: User) -> None:
    three = [ask(order, eve, Asked(line=line(order, 1), quantity=1)) for _ in range(3)]
    found = [part for refund in three for part in parts(refund)]
    assert sum(part[2] for part in found) == 1_000
    assert sum(part[3] for part in found) == 167
    with pytest.raises(RefundRefusedError, match="0 pieces"):
        ask(order, eve, Asked(line=line(order, 1), quantity=1))


def test_last_piece_takes_what_an_amount_left(order: Order, eve: User) -> None:
    ask(order, eve, Asked(line=line(order, 1), amount=Money(100, "GBP")))
    refund = ask(order, eve, Asked(line=line(order, 1), quantity=3))
    assert parts(refund) == [(1, 3, 900, 150)]


def test_order_is_cancelled_after_pieces_of_a_line_were_refunded(
    order: Order, eve: User, ann: User
) -> None:
    """The cancellation names all three pieces of the line; two of them are left."""
    for place, count in ((1, 1), (2, 1)):
        ask(order, eve, Asked(line=line(order, place), quantity=count))
    wish = ask_change(order, Wish(kind="cancel", why="mind"), actor=eve)
    approve_change(wish, actor=ann)
    order.refresh_from_db()
    assert order.status == Order.Status.CANCELLED
    refund = Refund.objects.latest("pk")
    assert parts(refund) == [(1, 2, 667, 111), (None, None, 360, 60)]
    assert held(order) == (1_860, [1_000, 500], [360])


def test_amount_counts_where_its_pieces_are_gone(order: Order, eve: User) -> None:
    """Pieces with an amount: as many as are left, none where others took them all."""
    for amount, pieces in ((600, 2), (300, 1), (100, None)):
        asked = Asked(line=line(order, 1), amount=Money(amount, "GBP"), quantity=2)
        assert parts(ask(order, eve, asked))[0][:3] == (1, pieces, amount)
    assert [(left.minor, left.tax, left.pieces) for left in left_of(order)][:1] == [(0, 0, 0)]


def test_rejected_pieces_and_their_tax_are_free_again(order: Order, eve: User, max_: User) -> None:
    refund = ask(order, eve, Asked(line=line(order, 1), quantity=3))
    services.reject_refund(refund, actor=max_, comment="No photo")
    assert held(order) == (0, [0, 0], [0])
    assert parts(ask(order, eve, Asked(line=line(order, 1)))) == [(1, None, 1_000, 167)]


def test_amount_for_no_line_is_split_over_what_is_left(order: Order, eve: User) -> None:
    ask(order, eve, Asked(line=line(order, 2)))
    refund = services.request_refund(order, Money(136, "GBP"), actor=eve, reason="Late")
    assert parts(refund) == [(1, None, 100, 17), (None, None, 36, 6)]


def test_amount_beyond_lines_and_charges_is_for_no_single_thing(order: Order, eve: User) -> None:
    Payment.objects.filter(order=order).update(captured_minor=2_000)
    refund = services.request_refund(order, Money(2_000, "GBP"), actor=eve, reason="Twice")
    assert [part[2] for part in parts(refund)] == [1_000, 500, 360, 140]
    assert refund.parts.last() is not None
    assert held(order) == (2_000, [1_000, 500], [360])


def test_all_in_one_refund_is_everything_that_is_left(order: Order, eve: User) -> None:
    ask(order, eve, Asked(line=line(order, 1), quantity=2))
    asked = [Asked(line=line(order, 1)), Asked(line=line(order, 2))]
    refund = ask(order, eve, *asked, Asked(charge=order.charges.get()))
    assert (refund.amount_minor, [left.minor for left in left_of(order)]) == (1_193, [0, 0, 0])


@pytest.mark.parametrize(
    ("currency", "total"),
    [
        ("GBP", 1_860),
        # How many decimals a currency has no database knows.
        pytest.param("JPY", 1_861, marks=pytest.mark.sqlite),
        pytest.param("BHD", 99_999, marks=pytest.mark.sqlite),
    ],
)
def test_hundred_partial_refunds_end_at_exactly_zero(
    order: Order, eve: User, currency: str, total: int
) -> None:
    for rows in (order.lines, order.charges, order.payments):
        rows.update(currency=currency)
    first = line(order, 1)
    OrderLine.objects.filter(pk=first.pk).update(total_minor=total - 860, tax_minor=167)
    Order.objects.filter(pk=order.pk).update(currency=currency, total_minor=total)
    order.refresh_from_db()
    order.payments.update(captured_minor=total)
    for share in Money(total, currency).split([1] * 100):
        services.request_refund(order, share, actor=eve, reason="A part")
    assert [(left.minor, left.tax) for left in left_of(order)] == [(0, 0)] * 3
    assert held(order) == (total, [total - 860, 500], [360])
    tax = RefundPart.objects.values_list("tax_minor", flat=True)
    assert sum(tax) == 167 + 60
    with pytest.raises(RefundRefusedError):
        services.request_refund(order, Money(1, currency), actor=eve, reason="One more")


@pytest.mark.parametrize(
    "asked",
    [
        {"quantity": 4},
        {"quantity": 0},
        {"quantity": -1},
        {"amount": Money(0, "GBP")},
        {"amount": Money(-5, "GBP")},
        {"amount": Money(5, "EUR")},
    ],
)
def test_what_cannot_be_meant_is_refused(order: Order, eve: User, asked: dict[str, object]) -> None:
    with pytest.raises(RefundRefusedError):
        ask(order, eve, Asked(line=line(order, 1), **asked))  # type: ignore[arg-type]
    assert held(order) == (0, [0, 0], [0])


def test_more_than_a_charge_cost_is_refused(order: Order, eve: User) -> None:
    with pytest.raises(LineLimitError, match=r"£3\.60"):
        ask(order, eve, Asked(charge=order.charges.get(), amount=Money(361, "GBP")))
    assert held(order) == (0, [0, 0], [0])


def test_same_line_twice_in_one_request_is_refused(order: Order, eve: User) -> None:
    with pytest.raises(RefundRefusedError, match="once"):
        ask(order, eve, *[Asked(line=line(order, 1), quantity=1)] * 2)


def test_discount_has_nothing_to_refund(order: Order, eve: User) -> None:
    discount = Charge.objects.create(
        order=order, code="D", quantity=1, source_price=-1, total_minor=-100
    )
    with pytest.raises(RefundRefusedError, match="cost nothing"):
        ask(order, eve, Asked(charge=discount))


def test_nothing_at_all_is_refused(order: Order, eve: User) -> None:
    with pytest.raises(RefundRefusedError):
        ask(order, eve)


def test_refund_of_an_old_picture_is_refused(order: Order, eve: User, ann: User) -> None:
    first = services.request_refund(order, Money(1, "GBP"), actor=eve, reason="A", newest=0)
    with pytest.raises(RefundRefusedError, match="meanwhile"):
        services.request_refund(order, Money(1, "GBP"), actor=ann, reason="B", newest=0)
    services.request_refund(order, Money(1, "GBP"), actor=ann, reason="C", newest=first.pk)
    assert held(order)[0] == 2
