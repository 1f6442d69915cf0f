"""Who gets in where: each site for its people, each shop for its own, each form with its token."""

import pytest
from django.test import Client

from orders.models import Order, OrderLine
from sellers.models import Product, Seller
from tests.walker.addresses import Address, addresses
from tests.walker.registry import REGISTRY, SIGNING_IN, BothShops, visits
from tests.walker.test_walk import NOBODY, OK, SELLERS, STAFF, walker_of
from tests.walker.walk import Visit, Walker, undone
from tests.walker.world import PLACED, World, make_line

# Open to everybody: signing in, and a new password. The sites' own addresses lead there.
DOORS = {
    "account_login",
    "account_inactive",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "socialaccount_login_cancelled",
}
# Open to whoever works here, whatever their role: their own start page, password, jobs, requests,
# clear exports.
OPEN_TO_STAFF = {
    "home",
    "admin:index",
    "admin:jsi18n",
    "admin:password_change",
    "admin:password_change_done",
    "admin:jobs",
    "admin:approvals",
    "admin:approvals_several",
    "admin:approvals_away",
    "admin:approval_rules",
    "admin:clear_exports",
    # Their own ways in, sessions and tokens.
    *SIGNING_IN,
    "admin:sessions",
    "admin:sessions_end_others",
    "admin:tokens",
    "admin:token_new",
}
# Nothing that a person without a role may see stands there: the addresses and their shape.
OPEN_API = {"api:api-root", "api:docs", "api:schema"}
# Browsers report without a cookie, so without a token; what they say changes nothing but counts.
WITHOUT_A_TOKEN = {"browser-reports"}
REFUSED = {301, 302, 401, 403, 404, 405, 410}
NOT_FOUND, FORBIDDEN = 404, 403
# Rights decide whom a site or a page lets in, and no database: asked on SQLite alone. That every
# page can be read on PostgreSQL is the walk's to show; that scopes hold there, the rows' below.
of_rights = pytest.mark.sqlite


def below(site: str) -> list[Address]:
    """Return the addresses of a site."""
    return [address for address in addresses() if address.route.startswith(f"{site}/")]


def opened(walker: Walker, found: list[Address], world: World, method: str = "GET") -> set[str]:
    """Return the addresses that showed this person something."""
    shown = set()
    for visit in visits(found, world, method):
        if walker.go(visit).status not in REFUSED:
            shown.add(visit.address)
    return shown


@of_rights
@pytest.mark.parametrize("name", SELLERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_staff_site_refuses_sellers(name: str, method: str, world: World) -> None:
    assert opened(walker_of(name, world), below("admin"), world, method) <= DOORS


@of_rights
@pytest.mark.parametrize("name", STAFF)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_seller_site_refuses_staff(name: str, method: str, world: World) -> None:
    assert opened(walker_of(name, world), below("seller"), world, method) <= DOORS


@of_rights
def test_nobody_gets_no_further_than_signing_in(world: World) -> None:
    assert opened(walker_of(NOBODY, world), addresses(), world) == DOORS


@of_rights
def test_staff_without_a_role_see_no_more_than_their_own_start(world: World) -> None:
    shown = opened(walker_of("gus", world), addresses(), world)
    assert shown <= DOORS | OPEN_TO_STAFF | OPEN_API


@pytest.mark.parametrize("name", SELLERS)
def test_rows_of_the_own_shop_are_found(name: str, world: World) -> None:
    walker = walker_of(name, world)
    rows = world.of_sol if name == "sol" else world.of_sam
    for model in ("order", "product"):
        label = rows[model]._meta.label_lower.replace(".", "/")
        url = f"/seller/{label}/{rows[model].pk}/change/"
        assert walker.go(Visit(model, url)).status == OK, url
    assert walker.findings == []


@pytest.mark.parametrize("name", SELLERS)
def test_order_of_two_shops_shows_each_its_own_part(name: str, world: World) -> None:
    order = shared_order(world)
    walker = walker_of(name, world)
    for url in (
        "/seller/",
        "/seller/orders/order/",
        "/seller/orders/orderline/",
        f"/seller/orders/order/{order.pk}/change/",
        f"/api/v1/orders/{order.number}/",
        "/api/v1/orders/",
    ):
        answer = walker.go(Visit("of two shops", url))
        assert answer.status == OK, url
        for whole in ("59.99", "5999"):
            if whole in answer.text:
                walker.note(Visit("of two shops", url), f"tells the sum of both shops, {whole}")
    assert walker.findings == []


def shared_order(world: World) -> Order:
    """Return an order of one line of each shop."""
    order = Order.objects.create(
        number="660066", customer=world.customer, placed_at=PLACED, total_minor=5999
    )
    for position, rows in enumerate((world.of_sol, world.of_sam), start=1):
        product, seller = rows["product"], rows["seller"]
        assert isinstance(product, Product)
        assert isinstance(seller, Seller)
        line = make_line(order, product, seller)
        OrderLine.objects.filter(pk=line.pk).update(position=position)
    return order


@pytest.mark.parametrize(("name", "own"), [("sol", 0), ("sam", 1)])
def test_rows_of_another_shop_are_not_found(name: str, own: int, world: World) -> None:
    walker = walker_of(name, world)
    checked = 0
    for address in addresses():
        fill = REGISTRY.get(address.key)
        if address.route.startswith("admin/") or not isinstance(fill, BothShops):
            continue
        if address.key == address.route:
            continue  # leads any text whatever to "change/", and says nothing of a row
        other = fill(world)[1 - own]
        for method in ("GET", "POST"):
            visit = Visit(address.key, address.url(other), method, json=address.key[:4] == "api:")
            status = walker.go(visit).status
            if status not in {NOT_FOUND, FORBIDDEN, 405}:
                walker.note(visit, f"the other shop's row answered {status}")
        checked += 1
    assert walker.findings == []
    assert checked > len(("product", "order"))


@of_rights
def test_post_without_a_token_is_refused_everywhere(world: World) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(world.people["kim"])
    taken = []
    for visit in visits(addresses(), world, "POST"):
        with undone():
            answer = client.post(visit.url)
        open_to_all = visit.address in WITHOUT_A_TOKEN
        if answer.status_code not in REFUSED - {301, 302} and not open_to_all:
            taken.append(f"{visit}: {answer.status_code}")
    assert taken == []


@of_rights
def test_the_walk_reaches_what_it_should(world: World) -> None:
    walker = walker_of("kim", world)
    reached = {
        visit.address for visit in visits(addresses(), world) if walker.go(visit).status == OK
    }
    assert {
        "admin:index",
        "admin:customers_customer_change",
        "admin:orders_order_change",
    } <= reached
    assert "api:customer-detail" in reached
