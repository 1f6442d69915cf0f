"""Journeys of sessions, of a passkey as fresh proof, and of acting for a seller's member."""

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import CDPSession, expect

from backoffice.accounts.models import Acting, User
from backoffice.audit.models import Event
from tests.browser.stage import Actor, Stage
from tests.browser.test_support import line, record_of
from tests.canaries import CUSTOMER
from tests.people import PASSWORD
from tests.walker.world import World

pytestmark = [pytest.mark.browser]

PHONE = CUSTOMER[2]
WHY = "asked to be called about the parcel"


def virtual_authenticator(actor: Actor) -> CDPSession:
    """Give the person's browser a passkey of its own; return the line to it."""
    session = actor.page.context.new_cdp_session(actor.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def add_passkey(actor: Actor, user: User) -> None:
    """Enrol a passkey on the page for it."""
    actor.open("/account/factors/passkeys/add/")
    actor.page.get_by_label("Name").fill("This laptop")
    actor.click("Add the passkey", "button")
    actor.page.wait_for_url(lambda url: "passkeys/add" not in url)
    assert Authenticator.objects.filter(user=user, type="webauthn").count() == 1


def test_passkey_is_asked_in_place_and_nothing_typed_is_lost(stage: Stage, world: World) -> None:
    person = world.people["ann"]
    ann = stage.enter(person)
    virtual_authenticator(ann)
    add_passkey(ann, person)
    stage.age_proofs()
    ann.open(record_of(world.customer))
    line(ann, "phone").get_by_role("link", name="Reveal").click()
    dialog = ann.dialog()
    dialog.get_by_label("Call the customer back").check()
    dialog.get_by_label("In a few words").fill(WHY)
    expect(dialog.get_by_label("Your password")).to_have_count(0)
    ann.look("customer-reveal-passkey")
    with ann.complaints.expecting(400):
        dialog.get_by_label("Code from your app").fill(PASSWORD)
        dialog.get_by_role("button", name="Reveal for 60 seconds").click()
        ann.sees("This proof is wrong, or was used before.")
    expect(dialog.get_by_label("In a few words")).to_have_value(WHY)
    dialog.get_by_role("button", name="Use your passkey").click()
    expect(line(ann, "phone")).to_contain_text(PHONE.value)
    event = Event.objects.get(verb="masking.revealed", actor=person, outcome="done")
    assert WHY in event.reason
    assert Event.objects.filter(verb="session.proved", context={"by": "passkey"}).exists()


def test_session_ended_in_one_browser_is_dead_in_the_other(stage: Stage, world: World) -> None:
    desk = stage.enter(world.people["eve"])
    phone = stage.enter(world.people["eve"])
    phone.sees("Your account is in use on another device too")
    phone.look("in-use-elsewhere")
    phone.page.get_by_role("main").get_by_role("link", name="My sessions").click()
    phone.sees("This one")
    phone.look("sessions")
    phone.page.get_by_role("link", name="End Chrome on Linux").click()
    phone.dialog().get_by_role("button", name="End this session").click()
    phone.sees("The session is ended.")
    desk.go("Customers")
    desk.page.wait_for_url("**/account/login/**")
    phone.go("Customers")
    expect(phone.page.locator("h1", has_text="Customers")).to_be_visible()


def test_support_acts_for_a_member_under_a_banner(stage: Stage, world: World) -> None:
    eve = stage.enter(world.people["eve"])
    shop = world.people["sol"].membership.seller
    eve.open(f"/admin/sellers/seller/{shop.pk}/change/")
    eve.act("Act for a member")
    eve.dialog().get_by_label("Person").select_option(label=str(world.people["sol"]))
    eve.dialog().get_by_label("Why?").fill("cannot find the price field")
    eve.look("act-for")
    eve.dialog().get_by_role("button", name="Act for them").click()
    eve.page.wait_for_url("**/seller/")
    eve.sees("you act for")
    eve.look("acting")
    eve.go("Products")
    eve.sees("you act for")
    eve.page.get_by_role("status").get_by_role("button", name="End").click()
    eve.page.wait_for_url("**/admin/")
    assert Acting.objects.get().ended_at is not None
