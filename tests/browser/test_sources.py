"""Journey across systems: customers of one, orders of the other, and one of them down."""

import pytest
from playwright.sync_api import Locator, expect

from backoffice.accounts.models import User
from tests.browser.backends import BackendProcess
from tests.browser.stage import Actor, Stage

pytestmark = pytest.mark.browser

UNAVAILABLE = 503


def state(actor: Actor, source: str) -> Locator:
    """Return the card that says how a source is."""
    cards = actor.page.get_by_role("region", name="State of the sources").locator("> div")
    return cards.filter(has_text=source)


def test_page_joins_two_systems_and_says_when_one_is_down(
    stage: Stage, oli: User, backends: dict[str, BackendProcess]
) -> None:
    actor = stage.enter(oli)
    actor.go("Customer orders")
    for source in ("Customer API", "Order API"):
        expect(state(actor, source)).to_contain_text("Up")
    rows = actor.page.locator("main tbody tr")
    assert rows.count() > 10
    expect(rows.first).to_contain_text("•")
    expect(actor.page.locator("main")).not_to_contain_text("@example.com")
    expect(actor.page.get_by_text("unavailable", exact=True)).to_have_count(0)
    actor.look("sources")
    backends["orders"].stop()
    actor.page.reload()
    expect(state(actor, "Customer API")).to_contain_text("Up")
    expect(state(actor, "Order API")).to_contain_text("Down")
    expect(rows.first).to_contain_text("unavailable")
    expect(actor.page.get_by_role("alert")).to_contain_text("Order API")
    expect(actor.page.locator("main tfoot")).not_to_contain_text("£")
    actor.look("sources-down")
    backends["customers"].stop()
    with actor.complaints.expecting(UNAVAILABLE):
        actor.page.reload()
    expect(actor.page.get_by_role("alert").first).to_contain_text("Customer API")
    actor.look("sources-all-down")
    for process in backends.values():
        process.start()
    actor.page.reload()
    expect(state(actor, "Order API")).to_contain_text("Up")
    expect(actor.page.get_by_text("unavailable", exact=True)).to_have_count(0)
