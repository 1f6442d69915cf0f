"""Journeys of oversight: a search kept, a month looked through and signed, a version restored."""

import datetime as dt

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from backoffice.audit import reviews
from backoffice.audit.models import AccessReview, SavedSearch
from backoffice.audit.services import record
from backoffice.masking.services import REVEALED
from customers import services as customers
from tests.browser.stage import Stage
from tests.canaries import leaks
from tests.walker.world import World

pytestmark = pytest.mark.browser


@pytest.fixture
def last_month(world: World, db: None) -> dt.date:
    """Let ann look at more than is usual for her in the last month; eve is refused."""
    last = reviews.earlier(reviews.month_of(timezone.localdate()), 1)
    for back, times in ((3, 1), (2, 1), (1, 2), (0, 7)):
        day = reviews.earlier(last, back)
        moment = dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC)
        with pytest.MonkeyPatch.context() as clock:
            clock.setattr(timezone, "now", lambda moment=moment: moment)
            for _time in range(times):
                record(
                    REVEALED, actor=world.people["ann"], subject=world.customer, reason="Call back"
                )
            record(
                REVEALED, actor=world.people["eve"], subject=world.customer, outcome="refused",  # type: ignore[arg-type]
            )  # fmt: skip
    return last


def test_auditor_looks_through_the_month_and_signs(
    stage: Stage, world: World, last_month: dt.date
) -> None:
    ada = stage.enter(world.people["ada"])
    ada.go("Access review")
    row = ada.page.locator("main tbody tr").filter(has_text="Ann")
    expect(row).to_contain_text("Twice the usual or more")
    expect(row).to_contain_text("Call back (7)")
    ada.look("access-review")
    ada.click("Sign the access review")
    dialog = ada.dialog()
    dialog.get_by_label("What did you find?").fill("Ann covered for a colleague.")
    ada.look("access-review-sign")
    dialog.get_by_role("button", name="Sign the access review").click()
    ada.sees("The review is signed.")
    ada.look("access-review-signed")
    assert AccessReview.objects.get().month == last_month
    assert leaks(ada.page.content(), world.secrets) == []
    ada.page.locator("main tbody tr").filter(has_text="Ann").get_by_role("link").first.click()
    expect(ada.page.locator("main tbody tr")).to_have_count(7)


def test_auditor_keeps_a_search(stage: Stage, world: World, last_month: dt.date) -> None:
    ada = stage.enter(world.people["ada"])
    ada.go("Activity")
    ada.click("Reveals")
    ada.click("Keep this search")
    ada.dialog().get_by_label("Name").fill("Who looked")
    ada.look("activity-keep")
    ada.dialog().get_by_role("button", name="Keep this search").click()
    ada.sees("The search is kept as a tab.")
    ada.look("activity-kept")
    assert SavedSearch.objects.filter(name="Who looked", query="verb=personal.revealed").exists()


def test_support_restores_an_earlier_version(stage: Stage, world: World) -> None:
    customers.edit_customer(
        world.customer, changes={"country": "Norway"}, actor=world.people["ann"], reason="moved"
    )
    eve = stage.enter(world.people["eve"])
    eve.open(f"/admin/customers/customer/{world.customer.pk}/history/")
    eve.look("history")
    eve.page.get_by_role("link", name="Restore").first.click()
    eve.dialog().get_by_label("Why?").fill("Another customer moved")
    eve.look("history-restore")
    eve.dialog().get_by_role("button", name="Restore this version").click()
    eve.sees("The version is restored, as a new change.")
    world.customer.refresh_from_db()
    assert world.customer.country != "Norway"
    assert leaks(eve.page.content(), world.secrets) == []
