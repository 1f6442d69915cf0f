"""What payments add to list and page of orders: what waits, badges, filters, what is left."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.money import Money
from backoffice.site.versions import version_of
from orders.models import Charge, Order, OrderLine
from payments import services
from payments.models import Dispute, Payment, Refund
from payments.services import Asked, splitting, stops
from payments.services.moves import move
from tests.factories import make_charge, make_line, make_order, make_payment
from tests.payments.test_reviews import propose

State = Refund.State
ORDERS = "/admin/orders/order/"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def rows(user: User, query: str) -> list[Any]:
    """Return the rows that the list of orders shows."""
    response = client_of(user).get(f"{ORDERS}?{query}")
    assert response.status_code == 200
    assert response.context_data is not None
    return list(response.context_data["rows"])


def found(user: User, query: str) -> set[int]:
    """Return the orders that the list shows, each once."""
    keys = [row.obj.pk for row in rows(user, query)]
    assert len(keys) == len(set(keys))
    return set(keys)


def page(user: User, order: Order) -> str:
    response = client_of(user).get(reverse("admin:orders_order_change", args=[order.pk]))
    assert response.status_code == 200
    return response.content.decode()


def paid(minor: int = 1_000, gateway: str = "simulator") -> Order:
    """Return an order that was delivered, so that nobody has to send it, and its one payment."""
    order = make_order(minor, status="delivered")
    make_payment(order, gateway=gateway)
    return order


def ask(order: Order, actor: User, state: str = "") -> Refund:
    """Ask for £1.00 back; the refund is in `state` then, if one is given."""
    refund = services.request_refund(order, Money(100, "GBP"), actor=actor, reason="Broken")
    if state:
        Refund.objects.filter(pk=refund.pk).update(state=state)
    return refund


def dispute(order: Order, status: str, minor: int = 0) -> None:
    payment = order.payments.get()
    Dispute.objects.create(
        payment=payment,
        gateway=payment.gateway,
        reference=f"dp_{order.pk}",
        amount_minor=minor or 100,
        blocked_minor=minor,
        currency="GBP",
        status=status,
        opened_at=timezone.now(),
    )
    Payment.objects.filter(pk=payment.pk).update(blocked_minor=minor)


def test_refund_waits_for_who_has_not_voted(
    eve: User, max_: User, kim: User, settings: Settings
) -> None:
    settings.BACKOFFICE_APPROVALS = {"payments.refund": {"approvers": 2}}
    order = paid()
    refund = ask(order, eve)
    assert [found(who, "view=waiting") for who in (eve, max_, kim)] == [
        set(),
        {order.pk},
        {order.pk},
    ]
    services.approve_refund(refund, actor=max_)
    assert [found(who, "view=waiting") for who in (max_, kim)] == [set(), {order.pk}]


def test_maker_who_approves_others_does_not_wait_for_oneself(max_: User, kim: User) -> None:
    order = paid()
    ask(order, max_)
    assert found(max_, "view=waiting") == set()
    assert found(kim, "view=waiting") == {order.pk}


def test_what_people_say_of_a_refund_waits_for_the_second_person(
    eve: User, max_: User, kim: User
) -> None:
    order = paid()
    refund = ask(order, eve)
    services.approve_refund(refund, actor=max_)
    for state in (State.EXECUTING, State.UNKNOWN, State.NEEDS_REVIEW):
        assert move(refund, state, actor=None)
    assert [found(who, "view=waiting") for who in (max_, kim)] == [set(), set()]
    request = propose(refund, max_)
    assert [found(who, "view=waiting") for who in (max_, kim)] == [set(), {order.pk}]
    approvals.approve(request, actor=kim)
    assert found(kim, "view=waiting") == set()


def test_list_is_narrowed_by_gateway(max_: User, pia: User) -> None:
    simulated, by_hand = paid(), paid(gateway="manual")
    make_payment(simulated)  # two of one gateway: the order stands in the list once
    both = paid()
    make_payment(both, gateway="manual")
    assert found(max_, "gateway=simulator") == {simulated.pk, both.pk}
    assert found(max_, "gateway=manual") == {by_hand.pk, both.pk}
    assert found(max_, "gateway=nobody") == set()
    # Who may not see payments learns nothing about them.
    assert found(pia, "gateway=manual") == {simulated.pk, by_hand.pk, both.pk}


def test_list_is_narrowed_by_refunds_and_disputes_and_says_them(
    eve: User, max_: User, pia: User
) -> None:
    orders = {name: paid() for name in ("open", "unknown", "review", "both", "ended", "none")}
    ask(orders["open"], eve)
    ask(orders["open"], eve)
    ask(orders["unknown"], eve, State.UNKNOWN)
    ask(orders["review"], eve, State.NEEDS_REVIEW)
    ask(orders["both"], eve)
    ask(orders["both"], eve, State.UNKNOWN)
    ask(orders["ended"], eve, State.FAILED)
    orders |= {status: paid() for status in ("inquiry", "announced", "disputed", "won", "lost")}
    for status in ("inquiry", "announced", "won", "lost"):
        dispute(orders[status], status)
    dispute(orders["disputed"], "open")
    names = {order.pk: name for name, order in orders.items()}

    def named(query: str) -> set[str]:
        return {names[key] for key in found(max_, query)}

    assert named("refund=open") == {"open", "unknown", "review", "both"}
    assert named("refund=unknown") == {"unknown", "review", "both"}
    assert named("refund=disputed") == {"announced", "disputed"}
    assert named("refund=nothing") == set(orders)
    told = {names[row.obj.pk]: [str(one) for one in row.badges] for row in rows(max_, "")}
    assert {name: badges for name, badges in told.items() if badges} == {
        "open": ["Refund open"],
        "unknown": ["Refund unknown"],
        "review": ["Refund unknown"],
        "both": ["Refund unknown"],
        "announced": ["Disputed"],
        "disputed": ["Disputed"],
    }
    # Who may not see refunds learns nothing about them.
    assert found(pia, "refund=open") == set(names)
    assert [row.badges for row in rows(pia, "") if row.badges] == []


@pytest.mark.parametrize("query", ["", "view=waiting", "refund=open", "gateway=simulator"])
def test_list_asks_a_constant_number_of_queries(eve: User, max_: User, query: str) -> None:
    def make() -> None:
        order = paid()
        ask(order, eve)
        dispute(order, "open")

    client, address = client_of(max_), f"{ORDERS}?{query}"
    make()
    client.get(address)
    with CaptureQueriesContext(connection) as one:
        client.get(address)
    make()
    make()
    with CaptureQueriesContext(connection) as three:
        assert len(client.get(address).context_data["rows"]) == 3  # type: ignore[index]
    assert len(one) == len(three)


@pytest.fixture
def order(db: None) -> Order:
    """£12.75 for one piece, £10.00 for three (tax £1.67), £3.60 of postage (tax £0.60); paid."""
    order = make_order(1_275, status="delivered")
    line = make_line(order, 1_000, position=2, quantity=3)
    OrderLine.objects.filter(pk=line.pk).update(tax_minor=167)
    make_charge(order, 360, tax=60)
    Order.objects.filter(pk=order.pk).update(total_minor=2_635)
    order.refresh_from_db()
    make_payment(order)
    return order


def notes(user: User, order: Order) -> list[str]:
    """Return the badges and small texts of the card of lines, from top to bottom."""
    card = re.search(r"bo-table--tight.*?</table>", page(user, order), re.DOTALL)
    assert card is not None
    said = re.findall(r'class="bo-(?:sub|badge)[^"]*"[^>]*>(?:<[^>]*>)*([^<]+)<', card[0])
    return [text for text in said if "£" in text]


def test_page_says_what_is_left_of_each_line_charge_and_of_all(order: Order, eve: User) -> None:
    assert notes(eve, order) == [
        "£12.75 left, 1 piece",
        "£10.00 left, 3 pieces",
        "with £1.67 of tax in it",
        "£3.60 left",
        "with £0.60 of tax in it",
        "with £2.27 of tax in it",  # of the order
        "£26.35 left",
        "with £2.27 of tax in it",
    ]
    asked = [Asked(line=order.lines.get(position=2), quantity=1), Asked(charge=order.charges.get())]
    services.request_refund(order, asked, actor=eve, reason="Broken")
    assert notes(eve, order) == [
        "£12.75 left, 1 piece",
        "£3.33 reserved",
        "£6.67 left, 2 pieces",
        "with £1.11 of tax in it",
        "£3.60 reserved",
        "with £2.27 of tax in it",
        "£19.42 left",
        "with £1.11 of tax in it",
    ]


def test_page_says_less_is_left_of_all_where_a_dispute_holds_money(
    order: Order, max_: User
) -> None:
    dispute(order, "open", 2_035)
    # £2.90, £2.28 and £0.82 of them, with no tax, £0.38 and £0.14.
    assert notes(max_, order)[-2:] == ["£6.00 left", "with £0.52 of tax in it"]
    Payment.objects.filter(order=order).update(blocked_minor=2_635)
    assert [text for text in notes(max_, order) if "left" in text] == []


def test_who_may_not_see_payments_is_not_told_what_is_left(order: Order, pia: User) -> None:
    assert notes(pia, order) == ["with £2.27 of tax in it"]


@pytest.mark.parametrize("minor", [1, 635, 2_634, 2_635, 3_000])
def test_tax_that_is_told_goes_back_with_the_amount(order: Order, eve: User, minor: int) -> None:
    Payment.objects.filter(order=order).update(captured_minor=3_000)
    amount = Money(minor, "GBP")
    told = splitting.tax_of(amount, splitting.left_of(order))
    refund = services.request_refund(order, amount, actor=eve, reason="Late")
    assert told.minor == sum(refund.parts.values_list("tax_minor", flat=True))


def test_payments_are_summed_where_there_are_several(order: Order, eve: User) -> None:
    assert "of all payments" not in page(eve, order)
    make_payment(order, captured=500, gateway="manual")
    shown = page(eve, order)
    assert "of all payments" in shown
    assert "£31.35" in shown


def possible(user: User, order: Order) -> str:
    """Return what the card of what may be done says of asking for a refund."""
    card = re.search(r'<ul class="bo-possible">(.*?)</ul>', page(user, order), re.DOTALL)
    assert card is not None
    said = [part for part in card[1].split("<li") if "Request refund" in part]
    assert len(said) == 1
    return said[0]


def refused(user: User, order: Order) -> bool:
    """Post the dialog for £1.00; say whether it was too late for it, and nothing asked for."""
    address = reverse("admin:orders_order_do_request_refund", args=[order.pk])
    before = Refund.objects.count()
    values = {"record_version": version_of(order), "why": "damaged", "newest": "0", "amount": "1"}
    status = client_of(user).post(address, values).status_code
    return status == 409 and Refund.objects.count() == before


def test_refund_is_offered_with_its_amount(order: Order, eve: User) -> None:
    said = possible(eve, order)
    assert f"{ORDERS}{order.pk}/do/request_refund/" in said
    assert "Up to £26.35" in said
    assert not refused(eve, order)


def test_refund_of_what_was_never_captured_is_not_offered(eve: User) -> None:
    order = make_order(1_000)
    assert "No payment was captured through a gateway" in possible(eve, order)
    assert refused(eve, order)


def test_refund_of_nothing_says_where_the_money_is(order: Order, eve: User) -> None:
    services.request_refund(order, Money(1_635, "GBP"), actor=eve, reason="Broken")
    dispute(order, "open", 1_000)
    words = "Nothing is left to refund: £16.35 reserved, £10.00 blocked by a dispute."
    assert words in possible(eve, order)
    Payment.objects.filter(order=order).update(refunded_minor=1_635)
    words = "Nothing is left to refund: £16.35 refunded, £10.00 blocked by a dispute."
    assert words in possible(eve, order)
    assert refused(eve, order)


def test_refund_is_not_offered_while_refunds_are_stopped(
    order: Order, eve: User, max_: User
) -> None:
    stops.stop("simulator", actor=max_, reason="Wrong amounts")
    said = possible(eve, order)
    assert "Refunds of Simulator are stopped. Max stopped them: Wrong amounts" in said
    assert "<a " not in said
    assert refused(eve, order)
    make_payment(order, captured=500, gateway="manual")
    assert "Up to £5.00" in possible(eve, order)


def test_refund_is_not_offered_at_a_gateway_without_proof(
    order: Order, eve: User, settings: Settings
) -> None:
    backend = {"BACKEND": "tests.payments.vendor.Vendor", "OPTIONS": {"keys": "live"}}
    settings.GATEWAYS = {"simulator": backend}
    settings.BACKOFFICE_UNVERIFIED_GATEWAYS = []
    assert "nobody has proven yet" in possible(eve, order)
    assert refused(eve, order)
    settings.GATEWAYS = {}
    assert "not set up any more" in possible(eve, order)


def test_order_page_asks_a_constant_number_of_queries(eve: User, max_: User) -> None:
    def fill(count: int) -> str:
        order = make_order(status="delivered")
        for place in range(1, count + 1):
            make_line(order, 1_000, position=place, quantity=2)
            make_charge(order, 300, code=f"FEE{place}")
            make_payment(order, captured=1_300)
        things: list[OrderLine | Charge] = [*order.lines.all(), *order.charges.all()]
        for thing in things:
            named = {"line": thing} if isinstance(thing, OrderLine) else {"charge": thing}
            asked = Asked(amount=Money(100, "GBP"), **named)
            services.request_refund(order, [asked], actor=eve, reason="Broken")
        return reverse("admin:orders_order_change", args=[order.pk])

    client, first, second = client_of(max_), fill(1), fill(3)
    client.get(first)
    with CaptureQueriesContext(connection) as one:
        client.get(first)
    with CaptureQueriesContext(connection) as three:
        assert client.get(second).status_code == 200
    assert len(one) == len(three)
