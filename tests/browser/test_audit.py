"""Journey of the auditor: what was revealed, edited, imported and refunded, by whom and why."""

import pytest
from playwright.sync_api import expect

from backoffice.masking import services as masking
from backoffice.money import Money
from customers import services as customers
from orders.models import Order
from payments import services as payments
from tests.browser import workbooks
from tests.browser.stage import Actor, Stage
from tests.browser.test_import import check, start, upload
from tests.canaries import leaks
from tests.walker.world import World

pytestmark = pytest.mark.browser


@pytest.fixture
def done(world: World) -> None:
    """Let ann reveal, eve edit, and ann ask for a refund that max approves."""
    ann, eve, max_ = (world.people[name] for name in ("ann", "eve", "max"))
    reason = masking.Reason(masking.Purpose.CALL, "he waits for a call")
    masking.reveal(world.customer, "phone", actor=ann, reason=reason, fresh=True)
    customers.edit_customer(
        world.customer, changes={"country": "Norway"}, actor=eve, reason="moved to Bergen"
    )
    order = world.of_sol["order"]
    assert isinstance(order, Order)
    refund = payments.request_refund(
        order, Money(700, "GBP"), actor=ann, reason="one cup was broken"
    )
    payments.approve_refund(refund, actor=max_, comment="photo seen")


def narrow(ada: Actor, **wanted: str) -> None:
    """Narrow the page Activity by the choices of these labels."""
    ada.click("Everything") if ada.named("Everything").count() else None
    for label, choice in wanted.items():
        ada.page.get_by_label(label.capitalize(), exact=True).select_option(label=choice)
    ada.click("Show", "button")


def sees_row(ada: Actor, *texts: str) -> None:
    """See one event with all of these texts."""
    rows = ada.page.locator("main tbody tr")
    for text in texts:
        rows = rows.filter(has_text=text)
    expect(rows.first).to_be_visible()


@pytest.mark.usefixtures("done")
def test_auditor_finds_what_was_done_with_person_and_reason(stage: Stage, world: World) -> None:
    _import(stage, world)
    ada = stage.enter(world.people["ada"])
    ada.go("Activity")
    ada.look("activity")
    narrow(ada, person="Ann", what="Personal data revealed")
    sees_row(ada, "Ann", "Personal data revealed", "17850", "he waits for a call")
    ada.look("activity-reveal")
    narrow(ada, person="Eve")
    sees_row(ada, "Eve", "moved to Bergen", "17850")
    narrow(ada, person="Oli", what="Import started")
    sees_row(ada, "Oli", "Import started", "orders.xlsx")
    narrow(ada, person="Ann", what="Refund requested")
    sees_row(ada, "Ann", "Refund requested", "one cup was broken")
    narrow(ada, person="Max")
    sees_row(ada, "Max", "photo seen")
    ada.open("/admin/activity/")
    assert leaks(ada.page.content(), world.secrets) == []


def _import(stage: Stage, world: World) -> None:
    stage.start_worker()
    oli = stage.enter(world.people["oli"])
    rows = [workbooks.line(number) for number in range(40)]
    upload(oli, workbooks.write(stage.folder / "orders.xlsx", rows))
    check(oli)
    start(oli)


def test_others_do_not_read_the_record(stage: Stage, world: World) -> None:
    eve = stage.enter(world.people["eve"])
    assert eve.page.get_by_role("link", name="Activity").count() == 0
    with eve.complaints.expecting(403):
        assert eve.open("/admin/activity/") == 403
