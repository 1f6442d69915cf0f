"""Journey of two customers who are one: find, look round, correct, merge, undo."""

import pytest
from playwright.sync_api import expect

from customers.models import Customer, CustomerMerge
from tests.browser.stage import Actor, Stage
from tests.canaries import CUSTOMER, leaks
from tests.walker.world import World, make_other

pytestmark = [pytest.mark.browser]
NAME, EMAIL, PHONE = CUSTOMER


def hidden(actor: Actor, world: World) -> None:
    """See that no canary stands on the page."""
    assert leaks(actor.page.content(), world.secrets) == []


def decide(actor: Actor, merge: str) -> None:
    """Approve what waits under this summary."""
    actor.open("/admin/approvals/")
    actor.page.get_by_role("link", name=merge).first.click()
    actor.look("customer-merge-approval")
    actor.click("Approve", "button")
    actor.sees("Approved")


def test_support_merges_two_customers_and_takes_it_back(stage: Stage, world: World) -> None:
    other = make_other(world.people["kim"], "18000")
    eve, kim = stage.enter(world.people["eve"]), stage.enter(world.people["kim"])
    eve.go("Customers")
    _choose_columns(eve)
    eve.page.get_by_label("Search by").select_option("name")
    eve.page.get_by_label("Whole value").fill(NAME.value)
    eve.click("Find", "button")
    eve.page.wait_for_url(f"**/{world.customer.pk}/change/")
    for tab in ("Orders", "Refunds", "Timeline", "Reveals"):
        parts = eve.page.get_by_role("navigation", name="Parts of this record")
        parts.get_by_role("link", name=tab).click()
        expect(parts.get_by_role("link", name=tab)).to_have_attribute("aria-current", "page")
        eve.look(f"customer-tab-{tab.lower()}")
        hidden(eve, world)
    eve.click("Profile")
    _correct(eve)
    _ask(eve, world, other)
    decide(kim, "Merge customer 18000 into 17850")
    other.refresh_from_db()
    assert other.merged_into_id == world.customer.pk
    eve.open(f"/admin/customers/customer/{other.pk}/change/")
    eve.sees("Customer 18000 was merged into customer 17850, who is shown here.")
    merge = CustomerMerge.objects.get(gone=other)
    eve.open(f"/admin/customers/customermerge/{merge.pk}/change/")
    eve.look("customer-merge")
    eve.act("Ask to undo")
    eve.dialog().get_by_label("Why?").fill("They are two people")
    eve.look("customer-merge-undo")
    eve.dialog().get_by_role("button", name="Ask to undo").click()
    eve.sees("Asked for. The merge is undone once another person agrees.")
    decide(kim, "Undo the merge of customer 18000 into 17850")
    assert Customer.objects.get(pk=other.pk).merged_into_id is None
    hidden(eve, world)


def _choose_columns(actor: Actor) -> None:
    actor.click("Columns", "button")
    actor.look("customers-columns")
    actor.page.get_by_label("Address").check()
    actor.click("Show these", "button")
    expect(actor.page.get_by_role("columnheader", name="Address")).to_be_visible()


def _correct(actor: Actor) -> None:
    """Change a personal value: refused without a reason, saved with one; what was typed stays."""
    actor.click("Edit")
    actor.page.get_by_label("Phone").fill("+44 7700 904 555")
    actor.click("Save", "button")
    actor.sees("Personal data changes: say why")
    actor.look("customer-edit-why")
    actor.page.get_by_label("Why the change?").fill("called from the new number")
    actor.click("Save", "button")
    actor.sees("was saved.")


def _ask(actor: Actor, world: World, other: Customer) -> None:
    """Ask to merge the other customer into this one."""
    actor.act("Merge with another")
    actor.dialog().get_by_label("Number of the other customer").fill(other.number)
    actor.dialog().get_by_role("button", name="Compare both").click()
    actor.page.wait_for_url("**/merge/**")
    actor.page.get_by_label("Why?").fill("The same e-mail on two letters")
    actor.look("customer-merge-compare")
    hidden(actor, world)
    actor.click("Ask for the merge", "button")
    actor.sees("The merge is asked for.")
