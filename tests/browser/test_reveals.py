"""Journey of revealing: copy on the record, a page at once, and nothing left when it is over."""

import json

import pytest
from playwright.sync_api import expect

from backoffice.audit.models import Event
from tests.browser.stage import Actor, Stage, wait_for
from tests.browser.test_support import PHONE, hidden, line, record_of, reveal
from tests.canaries import leaks
from tests.walker.world import World

pytestmark = [pytest.mark.browser, pytest.mark.both_databases]

_AWAY = """() => {
    Object.defineProperty(document, "visibilityState", {value: "hidden", configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def copied() -> list[dict[str, object]]:
    """Return what is on the record of copies."""
    return list(Event.objects.filter(verb="masking.copied").values_list("context", flat=True))


def shown_on(actor: Actor, world: World) -> set[str]:
    """Return which of the canaries the page holds, by name."""
    return {found.partition(" in ")[0] for found in leaks(actor.page.content(), world.secrets)}


def test_copy_is_on_the_record_and_the_value_goes_with_the_page(stage: Stage, world: World) -> None:
    ann = stage.enter(world.people["ann"])
    ann.page.context.grant_permissions(["clipboard-write"])
    ann.open(record_of(world.customer))
    reveal(ann, "phone")
    expect(line(ann, "phone")).to_contain_text(PHONE.value)
    line(ann, "phone").get_by_role("button", name="Copy").click()
    expect(line(ann, "phone").get_by_role("button", name="Copied")).to_be_visible()
    event = Event.objects.get(verb="masking.revealed")
    assert copied() == [{"reveal": event.pk, "field": "phone"}]
    ann.page.evaluate(_AWAY)
    expect(line(ann, "phone")).not_to_contain_text(PHONE.value)
    hidden(ann, world)
    ann.go("Customers")
    ann.page.get_by_label("Whole value").press("Control+v")
    expect(ann.page.get_by_label("Whole value")).to_have_value(PHONE.value)


def test_back_button_brings_no_value_back(stage: Stage, world: World) -> None:
    ann = stage.enter(world.people["ann"])
    ann.open(record_of(world.customer))
    reveal(ann, "phone")
    expect(line(ann, "phone")).to_contain_text(PHONE.value)
    ann.open("/admin/")
    ann.page.go_back()
    expect(line(ann, "phone").get_by_role("link", name="Reveal")).to_be_visible()
    hidden(ann, world)


def test_owner_unmasks_a_page_for_a_minute(stage: Stage, world: World) -> None:
    kim = stage.enter(world.people["kim"])
    kim.page.clock.install()
    kim.go("Customers")
    hidden(kim, world)
    kim.click("Unmask this page")
    dialog = kim.dialog()
    dialog.get_by_label("Phone").check()
    dialog.get_by_label("Legal or fraud request").check()
    dialog.get_by_label("In a few words").fill("the court asks")
    kim.look("unmask")
    hidden(kim, world)
    dialog.get_by_role("button", name="Show").click()
    value = dialog.locator("[data-reveal-value]", has_text=PHONE.value)
    expect(value).to_be_visible()
    kim.look("unmasked")
    kim.page.set_viewport_size({"width": 1280, "height": 300})  # more than fits: the rows scroll
    expect(dialog.get_by_role("link", name="Done")).to_be_in_viewport(ratio=1)
    assert shown_on(kim, world) == {"phone"}
    with kim.page.expect_response(lambda answer: "/copied/" in answer.url) as told:
        value.evaluate("node => node.dispatchEvent(new ClipboardEvent('copy', {bubbles: true}))")
    assert told.value.status == 204
    wait_for(lambda: len(copied()) == 1)
    kim.page.clock.fast_forward(61_000)
    expect(dialog).to_contain_text("Hidden again")
    hidden(kim, world)
    dialog.get_by_role("link", name="Done").click()
    hidden(kim, world)
    events = Event.objects.filter(verb="masking.revealed", actor=world.people["kim"])
    assert {json.dumps(one.context["fields"]) for one in events} == {'["phone"]'}
