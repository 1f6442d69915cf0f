"""Journey of a seller: own products and orders only, and a new product."""

import pytest
from playwright.sync_api import expect

from sellers.models import Product
from tests.browser.stage import Actor, Stage
from tests.walker.world import World

pytestmark = [pytest.mark.browser, pytest.mark.both_databases]


def test_seller_sees_the_own_shop_and_registers_a_product(stage: Stage, world: World) -> None:
    sol = stage.enter(world.people["sol"], "seller")
    sol.sees("Sol Shop")
    sol.look("seller-home")
    _own_rows_only(sol, world)
    sol.go("Products")
    sol.look("seller-products")
    sol.page.get_by_role("link", name="New product").first.click()
    sol.look("seller-product-new")
    sol.page.get_by_label("Code").fill("TEA-1")
    sol.page.get_by_label("Name").fill("Enamel teapot")
    sol.page.get_by_label("Price").fill("12.50")
    sol.click("Save", "button")
    sol.sees("Enamel teapot")
    product = Product.objects.get(code="TEA-1")
    assert (product.seller.code, product.price_minor, product.status) == ("sol-shop", 1250, "draft")
    assert product.history.get().history_user == world.people["sol"]


def _own_rows_only(sol: Actor, world: World) -> None:
    """See the own order, and find that the other shop's does not exist."""
    sol.go("Orders")
    sol.look("seller-orders")
    expect(sol.page.get_by_role("link", name="JK-8800-SOL")).to_be_visible()
    expect(sol.page.get_by_text("QV-7700-SAM")).to_have_count(0)
    for name in ("order", "product"):
        mine, other = world.of_sol[name], world.of_sam[name]
        where = f"/seller/{mine._meta.app_label}/{name}"
        assert sol.open(f"{where}/{mine.pk}/change/") == 200
        sol.look(f"seller-{name}")
        with sol.complaints.expecting(404):
            assert sol.open(f"{where}/{other.pk}/change/") == 404
    with sol.complaints.expecting(404):
        sol.look("seller-not-found")
    sol.open("/seller/")
