"""Who gets in where: each site for its people, each shop for its own, each form with its token."""

import pytest
from django.test import Client

from orders.models import Order, OrderLine
from sellers.models import Product, Seller
from tests.walker.addresses import Address, addresses
from tests.walker.cast import SELLERS, STAFF
from tests.walker.doors import DOORS, REFUSED
from tests.walker.registry import REGISTRY, BothShops, visits
from tests.walker.test_walk import OK, opened, walker_of
from tests.walker.walk import Visit, undone
from tests.walker.world import PLACED, World, make_line

# Browsers report without a cookie, so without a token; what they say changes nothing but counts.
WITHOUT_A_TOKEN = {"browser-reports"}
NOT_FOUND, FORBIDDEN = 404, 403
# Rights decide whom a site or a page lets in, and no database: asked on SQLite alone. That every
# page can be read on PostgreSQL is the walk's to show; that scopes hold there, the rows' below.
of_rights = pytest.mark.sqlite


def below(site: str) -> list[Address]:
    """Return the addresses of a site."""
    return [address for address in addresses() if address.route.startswith(f"{site}/")]


def shown(name: str, site: str, world: World) -> set[str]:
    """Return the addresses of a site that showed this person something, read or posted to."""
    walker = walker_of(name, world)
    for method in ("GET", "POST"):
        for visit in visits(below(site), world, method):
            walker.go(visit)
    return opened(walker)


@of_rights
@pytest.mark.parametrize("name", SELLERS)
def test_staff_site_refuses_sellers(name: str, world: World) -> None:
    assert shown(name, "admin", world) <= DOORS


@of_rights
@pytest.mark.parametrize("name", STAFF)
def test_seller_site_refuses_staff(name: str, world: World) -> None:
    assert shown(name, "seller", world) <= DOORS


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
