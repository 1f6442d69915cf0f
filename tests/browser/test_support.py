"""Journey of support: find, reveal with a reason, ask for access, edit; masks everywhere else."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, expect

from backoffice.audit.models import Event, Outcome
from backoffice.masking.models import Grant
from customers.models import Customer
from tests.browser.stage import Actor, Stage
from tests.canaries import CUSTOMER, leaks
from tests.people import PASSWORD
from tests.walker.world import World

pytestmark = [pytest.mark.browser, pytest.mark.both_databases]

NAME, EMAIL, PHONE = CUSTOMER
FORBIDDEN = 403


def record_of(customer: Customer) -> str:
    """Return the address of the customer's page."""
    return f"/admin/customers/customer/{customer.pk}/change/"


def line(actor: Actor, field: str) -> Locator:
    """Return the line of a masked field on the record page."""
    return actor.page.locator(f'[data-reveal-field="{field}"]')


def hidden(actor: Actor, world: World) -> None:
    """See that no canary stands on the page."""
    assert leaks(actor.page.content(), world.secrets) == []


def find(actor: Actor, kind: str, value: str) -> None:
    """Search the customers for a whole value."""
    actor.go("Customers")
    actor.page.get_by_label("Search by").select_option(kind)
    actor.page.get_by_label("Whole value").fill(value)
    actor.click("Find", "button")


def reveal(actor: Actor, field: str, *, password: bool = False) -> None:
    """Reveal a field, with a reason and, where it is asked again, the password."""
    line(actor, field).get_by_role("link", name="Reveal").click()
    dialog = actor.dialog()
    dialog.get_by_label("Call the customer back").check()
    dialog.get_by_label("In a few words").fill("asked to be called about the parcel")
    actor.look("customer-reveal")
    if password:
        dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Reveal for 60 seconds").click()


def test_agent_finds_a_customer_and_reveals_one_field(stage: Stage, world: World) -> None:
    ann = stage.enter(world.people["ann"])
    ann.go("Customers")
    ann.look("customers")
    hidden(ann, world)
    find(ann, "email", EMAIL.value)
    ann.page.wait_for_url(f"**{record_of(world.customer)}")
    ann.look("customer")
    hidden(ann, world)
    ann.page.clock.install()
    stage.age_proofs()
    reveal(ann, "phone", password=True)
    expect(line(ann, "phone")).to_contain_text(PHONE.value)
    ann.look("customer-revealed")
    shown = {found.partition(" in ")[0] for found in leaks(ann.page.content(), world.secrets)}
    assert shown == {"phone"}
    ann.page.clock.fast_forward(61_000)
    expect(line(ann, "phone")).not_to_contain_text(PHONE.value)
    hidden(ann, world)
    event = Event.objects.get(verb="masking.revealed")
    assert (event.actor, event.subject_id) == (world.people["ann"], str(world.customer.pk))
    assert "asked to be called about the parcel" in event.reason


def test_part_of_an_email_finds_nobody(stage: Stage, world: World) -> None:
    eve = stage.enter(world.people["eve"])
    find(eve, "email", EMAIL.value[:8])
    eve.sees("No customer has exactly this e-mail")
    assert "xyvmail" not in eve.page.url


def test_agent_without_the_right_asks_and_is_let_in_for_one_customer(
    stage: Stage, world: World
) -> None:
    other = Customer.objects.create(number="12346", name="Olive Other", phone="+44 7700 900 111")
    eve = stage.enter(world.people["eve"])
    eve.open(record_of(world.customer))
    expect(line(eve, "phone").get_by_role("link", name="Reveal")).to_have_count(0)
    _posting_anyway_is_refused(eve, world)
    line(eve, "phone").get_by_role("link", name="Ask for access").click()
    eve.dialog().get_by_label("Why?").fill("he waits on the other line")
    eve.look("customer-ask")
    eve.click("Ask for access", "button")
    eve.sees("You can reveal values of this record once somebody agreed.")
    _somebody_else_agrees(stage, world)
    eve.open(record_of(world.customer))
    reveal(eve, "phone")
    expect(line(eve, "phone")).to_contain_text(PHONE.value)
    eve.open(record_of(other))
    expect(line(eve, "phone").get_by_role("link", name="Reveal")).to_have_count(0)
    _it_ends(eve, world)


def _posting_anyway_is_refused(eve: Actor, world: World) -> None:
    """Post what the missing button would post; see 403 and no value."""
    where = f"/admin/customers/customer/{world.customer.pk}/reveal/phone/"
    answer = eve.page.request.post(
        eve.page.url.replace(record_of(world.customer), where),
        form={
            "purpose": "call",
            "text": "because",
            "step_up_proof": PASSWORD,
            "csrfmiddlewaretoken": eve.cookies()["csrftoken"],
        },
        headers={"Referer": eve.page.url},
    )
    assert answer.status == FORBIDDEN
    assert leaks(answer.text(), world.secrets) == []
    refused = Event.objects.get(verb="masking.revealed", actor=world.people["eve"])
    assert refused.outcome == Outcome.REFUSED


def _somebody_else_agrees(stage: Stage, world: World) -> None:
    kim = stage.enter(world.people["kim"])
    kim.go("Approvals")
    kim.page.get_by_role("link", name=re.compile("^See personal data of")).first.click()
    kim.sees("he waits on the other line")
    kim.look("approval")
    kim.page.get_by_label("Comment").fill("rang back, it is him")
    kim.page.get_by_role("button", name="Approve").click()
    kim.sees("Approved and done")
    kim.page.get_by_role("link", name="Hand over while away").click()
    kim.look("approvals-away")
    grant = Grant.objects.get(user=world.people["eve"])
    assert grant.given_by == world.people["kim"]
    assert grant.expires_at - grant.starts_at == timedelta(minutes=30)


def _it_ends(eve: Actor, world: World) -> None:
    """Let the half hour pass; see that nothing is shown any more."""
    now = timezone.now()
    Grant.objects.filter(user=world.people["eve"]).update(
        starts_at=now - timedelta(minutes=31), expires_at=now - timedelta(minutes=1)
    )
    eve.open(record_of(world.customer))
    expect(line(eve, "phone").get_by_role("link", name="Reveal")).to_have_count(0)
    hidden(eve, world)


def test_edit_is_in_the_history_with_masks(stage: Stage, world: World) -> None:
    eve = stage.enter(world.people["eve"])
    eve.open(record_of(world.customer))
    eve.click("Edit")
    eve.look("customer-edit")
    hidden(eve, world)
    eve.page.get_by_label("Phone").fill("+44 7700 911 299")
    eve.page.get_by_label("Why the change?").fill("called from a new number")
    eve.click("Save", "button")
    expect(line(eve, "phone")).to_contain_text("99")
    assert leaks(eve.page.content(), (*world.secrets,)) == []
    eve.click("More", "button")
    eve.click("History")
    eve.look("customer-history")
    newest = eve.page.get_by_role("row").nth(1)
    for text in ("Eve", "Phone", "31", "99", "called from a new number"):
        expect(newest).to_contain_text(text)
    expect(newest).not_to_contain_text("911 299")
    hidden(eve, world)
    world.customer.refresh_from_db()
    kept = Customer.history.filter(id=world.customer.pk).first()
    assert kept.history_user == world.people["eve"]
