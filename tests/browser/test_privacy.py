"""Journey of the privacy officer: a person is erased, and the receipt says from where."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from customers.models import Customer, PrivacyCase
from orders.models import ChangeRequest, Order
from orders.services import withdraw_change
from orders.states import ChangeState
from payments import services as payments
from payments.models import Refund
from tests.browser.stage import Stage, wait_for
from tests.canaries import leaks
from tests.walker.world import World

pytestmark = pytest.mark.browser


@pytest.fixture
def free(world: World, settings: Any, tmp_path: Path) -> Customer:
    """Return the customer with nothing open but the refund; what the world opened is closed."""
    settings.BACKOFFICE_RETENTION = {"without_order": 24, "former_values": 12}
    PrivacyCase.objects.all().delete()
    Order.objects.update(placed_at=timezone.now() - timedelta(days=900))
    return world.customer


def test_person_is_erased_after_a_second_person_agreed(
    stage: Stage, world: World, free: Customer
) -> None:
    pia = stage.enter(world.people["pia"])
    pia.go("Privacy desk")
    pia.look("privacy-empty")
    pia.click("Open a request")
    dialog = pia.dialog()
    dialog.get_by_label("Number of the customer").fill("17850")
    dialog.get_by_label("What do they ask for?").select_option(label="Erasure")
    pia.look("privacy-new")
    dialog.get_by_role("button", name="Open", exact=True).click()
    pia.sees("Nothing is done before a second person agrees.")
    pia.look("privacy")
    pia.click("Erasure")
    pia.sees("The person is needed still.")
    pia.look("privacy-blocked")
    assert leaks(pia.page.content(), world.secrets) == []
    for refund in Refund.objects.filter(state=Refund.State.REQUESTED):
        assert refund.requested_by is not None
        payments.withdraw_refund(refund, actor=refund.requested_by)
    for change in ChangeRequest.objects.filter(state=ChangeState.REQUESTED):
        withdraw_change(change, actor=change.asked_by, reason="thought again")
    pia.page.reload()
    pia.click("Ask for approval")
    dialog = pia.dialog()
    dialog.get_by_label("Why?").fill("A letter of the first of the month.")
    dialog.get_by_role("button", name="Ask for approval").click()
    pia.sees("Somebody else has to decide now.")
    kim = stage.enter(world.people["kim"])
    case = PrivacyCase.objects.get()
    kim.open(f"/admin/approvals/{case.approval_id}/")
    kim.look("privacy-approval")
    kim.click("Approve", "button")
    kim.sees("Approved and done")
    stage.start_worker()
    wait_for(lambda: PrivacyCase.objects.get().state == PrivacyCase.State.DONE, 90)
    pia.page.reload()
    expect(pia.page.get_by_role("heading", name="Receipt")).to_be_visible()
    pia.look("privacy-receipt")
    pia.open("/admin/privacy/retention/")
    pia.look("privacy-retention")
    assert Customer.objects.get(pk=free.pk).name == ""
    assert stage.complaints() == []
