"""Journey of the owner: charts drawn from the orders, and a bar that opens the rows behind it."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from playwright.sync_api import Locator, expect

from orders.models import Order
from sellers.models import Product, Seller
from tests.browser.stage import Actor, Stage
from tests.walker.world import World, make_line

pytestmark = pytest.mark.browser

CHARTS = {
    "reports.revenue_by_month": ".scatterlayer .js-line",
    "reports.revenue_by_country": ".barlayer .point path",
    "reports.share_by_category": ".pielayer .slice path",
    "reports.two_years": ".barlayer .point path",
}
BIG = "Norway"


@pytest.fixture
def sales(world: World) -> None:
    """Sell something in each month of two years, most of it to one country."""
    seller = world.of_sol["seller"]
    assert isinstance(seller, Seller)
    for number in range(24):
        price = 1000 + 150 * number
        product = Product.objects.create(
            seller=seller,
            code=f"P-{number}",
            name=f"Cup {number}",
            category=("Kitchen", "Garden", "Paper")[number % 3],
            price_minor=price,
        )
        order = Order.objects.create(
            number=f"55{number:04}",
            placed_at=datetime(2010 + number // 12, 1 + number % 12, 14, 12, tzinfo=UTC),
            country=BIG if number % 2 else ("Japan", "France")[number % 4 // 2],
            total_minor=price * 2,
            status=Order.Status.DELIVERED,
        )
        make_line(order, product, seller)


def card(actor: Actor, key: str) -> Locator:
    """Return the card of a chart."""
    return actor.page.locator(f'[data-chart="{key}"]')


def amount(text: str) -> Decimal:
    """Return the amount in a text such as "£1,234.50"."""
    found = re.search(r"£([\d,]+\.\d\d)", text)
    assert found is not None, text
    return Decimal(found[1].replace(",", ""))


@pytest.mark.usefixtures("sales")
def test_owner_sees_charts_and_opens_the_rows_of_a_bar(stage: Stage, world: World) -> None:
    kim = stage.enter(world.people["kim"])
    for key, marks in CHARTS.items():
        expect(card(kim, key).locator("[data-drawn]")).to_be_visible()
        boxes = [mark.bounding_box() for mark in card(kim, key).locator(marks).all()]
        assert any(box and min(box["width"], box["height"]) > 3 for box in boxes), key
    kim.look("dashboard")
    country = card(kim, "reports.revenue_by_country")
    country.get_by_role("button", name=re.compile("as a table")).click()
    said = amount(country.get_by_role("row").filter(has_text=BIG).inner_text())
    kim.look("dashboard-table")
    country.get_by_role("button", name=re.compile("as a table")).click()
    click_widest(kim, country)
    kim.page.wait_for_url(f"**/admin/orders/order/?*country={BIG}*")
    kim.look("dashboard-drill")
    assert sum_of_list(kim) == said
    # The newest twelve months that are over: December 2011 still runs.
    period = (datetime(2010, 12, 1, tzinfo=UTC), datetime(2011, 12, 1, tzinfo=UTC))
    orders = Order.objects.filter(country=BIG, placed_at__range=period)
    assert said == Decimal(sum(order.total_minor for order in orders)).scaleb(-2) == 408


def click_widest(actor: Actor, chart: Locator) -> None:
    """Click into the widest bar. The plot lies under a layer of its own, so the mouse does it."""
    chart.scroll_into_view_if_needed()
    boxes = [bar.bounding_box() for bar in chart.locator(".barlayer .point path").all()]
    widest = max((box for box in boxes if box), key=lambda box: box["width"])
    x, y = widest["x"] + widest["width"] / 2, widest["y"] + widest["height"] / 2
    actor.page.mouse.move(x - 3, y)
    actor.page.mouse.move(x, y, steps=3)
    actor.page.mouse.click(x, y)


def sum_of_list(actor: Actor) -> Decimal:
    """Return the sum of the totals of the list's rows, which all stand on one page."""
    cells = actor.page.locator('main tbody td[data-label="Total"]').all_inner_texts()
    count = int(actor.page.locator(".bo-list-count b").inner_text().replace(",", ""))
    assert len(cells) == count > 0
    return sum((amount(text) for text in cells), Decimal(0))


@pytest.mark.usefixtures("sales")
def test_charts_keep_their_colours_in_the_dark(stage: Stage, world: World) -> None:
    kim = stage.enter(world.people["kim"])
    line = card(kim, "reports.revenue_by_month").locator(".js-line").first
    light = line.evaluate("line => getComputedStyle(line).stroke")
    kim.page.get_by_role("button", name="Light or dark").click()
    expect(line).not_to_have_css("stroke", light)
