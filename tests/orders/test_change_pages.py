"""The queue of change requests, their pages, and the order page and list around them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.site.versions import version_of
from orders import services
from orders.models import ChangeRequest, DeliveryAddress, Order, OrderLine
from orders.services import Asked
from tests.factories import AT, make_customer, make_line, make_order, make_seller
from tests.people import make_person

ADDRESS = "Quzzwick Lane 41, Vexhollow"
QUEUE = "/admin/orders/changerequest/"
ORDERS = "/admin/orders/order/"


@pytest.fixture
def bob(db: None) -> User:
    """A second person of the support."""
    return make_person("bob", "support")


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(user: User, address: str) -> str:
    response = client_of(user).get(address)
    assert response.status_code == 200
    return response.content.decode()


def order_of(pieces: int = 2, status: str = Order.Status.PAID) -> Order:
    order = make_order(status=status)
    make_line(order, 1_000, quantity=pieces)
    return order


def ask(order: Order, actor: User, kind: str = "cancel", **more: str) -> ChangeRequest:
    pieces = {order.lines.get(): 1} if kind in {"return", "exchange"} else {}
    asked = Asked(kind=kind, why="mind", pieces=pieces, **more)
    return services.ask_change(order, asked, actor=actor)


def do(user: User, change: ChangeRequest, action: str, **values: str) -> int:
    address = f"{QUEUE}{change.pk}/do/{action}/"
    data = {"record_version": version_of(change), **values}
    return client_of(user).post(address, data).status_code


def buttons(shown: str, change: ChangeRequest) -> set[str]:
    """Return which decisions a page offers for the request."""
    return {name for name in ("approve", "reject") if f"{QUEUE}{change.pk}/do/{name}/" in shown}


def test_queue_offers_decisions_in_the_row_but_not_about_ones_own(eve: User, bob: User) -> None:
    own, other = ask(order_of(), eve), ask(order_of(), bob)
    shown = page(eve, QUEUE)
    assert buttons(shown, own) == set()
    assert buttons(shown, other) == {"approve", "reject"}
    assert buttons(page(eve, f"{ORDERS}{other.order_id}/change/"), other) == {"approve", "reject"}
    mine = page(eve, f"{ORDERS}{own.order_id}/change/")
    assert buttons(mine, own) == set()
    assert "You took it down: somebody else decides." in mine


def test_own_decision_is_refused_where_it_is_posted_all_the_same(eve: User) -> None:
    change = ask(order_of(), eve)
    assert do(eve, change, "approve") == 403
    assert ChangeRequest.objects.get().state == "requested"


def test_requests_are_approved_in_bulk_and_each_line_is_judged(eve: User, bob: User) -> None:
    mine, first, second = ask(order_of(), eve), ask(order_of(), bob), ask(order_of(), bob)
    rows = (mine, first, second)
    services.mark_shipped(second.order, actor=bob)  # too late for this one
    data = {f"version-{row.pk}": version_of(row) for row in rows}
    keys = [str(row.pk) for row in rows]
    shown = client_of(eve).post(f"{QUEUE}do/approve/several/", {"pk": keys, **data})
    assert "cannot be cancelled any more" in shown.content.decode()
    states = ChangeRequest.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["requested", "done", "requested"]


def test_agent_takes_a_request_down_on_the_order_page(eve: User, bob: User) -> None:
    order = order_of()
    address = f"{ORDERS}{order.pk}/do/ask_change/"
    data = {"record_version": version_of(order), "kind": "cancel", "why": "other", "note": ""}
    assert client_of(eve).post(address, data).status_code == 400
    line = order.lines.get()
    data |= {"why": "mind", f"pieces_{line.pk}": "1"}
    assert client_of(eve).post(address, data).status_code == 302
    change = ChangeRequest.objects.get()
    assert (change.asked_by, change.lines.get().quantity) == (eve, 1)
    assert do(bob, change, "approve", reason="") == 302
    assert OrderLine.objects.get().cancelled_quantity == 1


def test_goods_come_in_by_a_dialog(eve: User, bob: User) -> None:
    change = ask(order_of(status=Order.Status.DELIVERED), eve, "return")
    assert do(bob, change, "approve", reason="") == 302
    change.refresh_from_db()
    row = change.lines.get()
    assert do(bob, change, "goods", **{f"pieces_{row.pk}": "2"}) == 400
    assert do(bob, change, "goods", **{f"pieces_{row.pk}": "1"}) == 302
    assert ChangeRequest.objects.get().state == "done"


def test_address_shows_as_a_mask_everywhere(eve: User, bob: User) -> None:
    order = order_of()
    change = ask(order, eve, "address", address=ADDRESS)
    services.approve_change(change, actor=bob)
    target = DeliveryAddress.objects.get()
    shown = "".join(
        page(bob, address)
        for address in (
            f"{QUEUE}?view=all",
            f"{QUEUE}{change.pk}/change/",
            f"{QUEUE}{change.pk}/history/",
            f"{ORDERS}{order.pk}/change/",
            "/admin/orders/deliveryaddress/",
            f"/admin/orders/deliveryaddress/{target.pk}/change/",
        )
    )
    assert "Quzzwick" not in shown
    assert "Goes to" in shown


def test_finance_looks_at_the_queue_and_is_offered_nothing(eve: User, max_: User) -> None:
    change = ask(order_of(), eve)
    shown = page(max_, QUEUE)
    assert str(change) in shown
    assert buttons(shown, change) == set()
    assert do(max_, change, "approve") == 403


def test_analyst_sees_no_requests_and_no_notes(nia: User, eve: User) -> None:
    order = order_of()
    change = ask(order, eve)
    services.add_note(order, "Blurgh called twice", actor=eve)
    assert client_of(nia).get(QUEUE).status_code == 403
    shown = page(nia, f"{ORDERS}{order.pk}/change/")
    assert (str(change) in shown, "Blurgh" in shown) == (False, False)
    assert "Blurgh" in page(eve, f"{ORDERS}{order.pk}/change/")


def test_sidebar_counts_what_this_person_may_decide(eve: User, bob: User, max_: User) -> None:
    from backoffice.site import navigation  # noqa: PLC0415

    item = next(one for one in navigation.items("admin") if "changerequest" in one.url_name)
    ask(order_of(), eve)
    assert item.badge is not None
    assert [item.badge(user) for user in (eve, bob, max_)] == [0, 1, 0]


def test_card_says_what_may_be_done_and_why_not(eve: User) -> None:
    order = order_of()
    shown = page(eve, f"{ORDERS}{order.pk}/change/")
    assert "What may be done now" in shown
    assert "“Paid” cannot become “Delivered”" in shown
    services.send_parcel(order, {order.lines.get(): 1}, actor=eve)
    shown = page(eve, f"{ORDERS}{order.pk}/change/")
    assert "Some of it was sent already." in shown
    assert f"{ORDERS}{order.pk}/do/cancel/" not in shown
    assert ">Partly shipped<" in shown


def numbers(user: User, query: str) -> list[str]:
    """Return the numbers of the orders that the list shows, in its order."""
    response = client_of(user).get(f"{ORDERS}?{query}")
    assert response.status_code == 200
    assert response.context_data is not None
    return [row.obj.number for row in response.context_data["rows"]]


def test_waiting_for_me_holds_what_this_person_can_do(eve: User, max_: User, bob: User) -> None:
    to_send = order_of()
    to_decide, own = order_of(status="delivered"), order_of(status="delivered")
    ask(to_decide, bob, "return")
    ask(own, eve, "return")
    make_order(1_000, status="cancelled")
    assert set(numbers(eve, "view=waiting")) == {to_send.number, to_decide.number}
    assert set(numbers(bob, "view=waiting")) == {to_send.number, own.number}
    assert numbers(max_, "view=waiting") == []
    assert len(numbers(eve, "")) == 4


def test_tab_says_how_many_wait(eve: User) -> None:
    for _time in range(3):
        order_of()
    response = client_of(eve).get(ORDERS)
    assert response.context_data is not None
    tabs = response.context_data["view_links"]
    assert [(tab.label, tab.count, tab.current) for tab in tabs] == [
        ("All", "", True),
        ("Waiting for me", "3", False),
    ]


def test_list_is_narrowed_by_age_seller_and_amount(eve: User) -> None:
    now = timezone.now()
    old = make_order(1_000, seller=make_seller("old-shop"))
    new = make_order(5_000, seller=make_seller("new-shop"))
    Order.objects.filter(pk=new.pk).update(state_since=now - timedelta(days=2))
    kwd = make_order(2_000, status="delivered")
    Order.objects.filter(pk=kwd.pk).update(currency="KWD", state_since=now)
    assert numbers(eve, "older=1") == [new.number, old.number]
    assert numbers(eve, "older=3") == [old.number]  # from a sheet: since it was placed
    assert old.placed_at == AT
    assert numbers(eve, "seller=new-shop") == [new.number]
    assert numbers(eve, "total_in=GBP&total_from=10&total_to=20") == [old.number]
    assert numbers(eve, "total_in=kwd&total_from=2.000") == [kwd.number]
    assert numbers(eve, "total_from=10.01") == [new.number]


@pytest.mark.parametrize("query", ["total_from=ten", "total_from=1e99", "total_in=%00%00%00"])
def test_amount_that_is_none_narrows_nothing_and_breaks_nothing(eve: User, query: str) -> None:
    assert client_of(eve).get(f"{ORDERS}?{query}").status_code in {302, 400}


def test_badges_say_what_waits(eve: User, bob: User) -> None:
    order = order_of(status="delivered")
    ask(order, bob, "return")
    sent = order_of()
    services.send_parcel(sent, {sent.lines.get(): 1}, actor=eve)
    response = client_of(eve).get(ORDERS)
    assert response.context_data is not None
    rows = response.context_data["rows"]
    told = {row.obj.pk: [str(badge) for badge in row.badges] for row in rows}
    assert told == {order.pk: ["Return asked"], sent.pk: ["Partly shipped"]}


@pytest.mark.parametrize("address", [ORDERS, f"{ORDERS}?view=waiting", f"{QUEUE}?view=all"])
def test_lists_ask_a_constant_number_of_queries(eve: User, bob: User, address: str) -> None:
    def make() -> None:
        order = make_order(customer=make_customer())
        make_line(order, 1_000, quantity=2)
        services.send_parcel(order, {order.lines.get(): 1}, actor=bob)
        ask(order, bob)

    client = client_of(eve)
    make()
    client.get(address)
    with CaptureQueriesContext(connection) as one:
        client.get(address)
    make()
    make()
    with CaptureQueriesContext(connection) as three:
        assert client.get(address).status_code == 200
    assert len(one) == len(three)


def test_order_page_asks_a_constant_number_of_queries(eve: User, bob: User) -> None:
    def fill(count: int) -> str:
        order = make_order(status="delivered")
        for place in range(1, count + 1):
            make_line(order, 1_000, position=place, quantity=2)
        for line in order.lines.all():
            asked = Asked(kind="return", why="mind", pieces={line: 1})
            services.ask_change(order, asked, actor=bob)
            services.add_note(order, "x", actor=bob)
        return reverse("admin:orders_order_change", args=[order.pk])

    client, first, second = client_of(eve), fill(1), fill(3)
    client.get(first)
    with CaptureQueriesContext(connection) as one:
        client.get(first)
    with CaptureQueriesContext(connection) as three:
        client.get(second)
    assert len(one) == len(three)
