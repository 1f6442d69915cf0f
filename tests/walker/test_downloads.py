"""Answers that are no pages: files, single values, what a form says back."""

import logging
from typing import Any

import pytest
from django.test import Client

from backoffice.audit.models import Event
from tests.canaries import CUSTOMER, leaks
from tests.people import PASSWORD
from tests.walker import state
from tests.walker.test_walk import OK, ONE_KIND_OF_RIGHT, walker_of, with_one_kind_of_right
from tests.walker.walk import Visit, read
from tests.walker.world import World

FORBIDDEN = 403
NAME, EMAIL, PHONE = CUSTOMER
LISTS = (
    "customers/customer",
    "orders/order",
    "payments/payment",
    "payments/refund",
    "sellers/product",
)


EXPORTING = ("ann", "eve", "max", "oli", "kim")
NOT_EXPORTING = ("ada", "nia", "pia", "gus", *ONE_KIND_OF_RIGHT)


@pytest.mark.parametrize("name", EXPORTING)
@pytest.mark.parametrize("kind", ["csv", "xlsx", "json"])
def test_exports_hold_masks_only(name: str, kind: str, world: World) -> None:
    walker = walker_of(name, world)
    written = 0
    for where in LISTS:
        visit = Visit(where, f"/admin/{where}/export/", "POST", {"format": kind, "reason": "walk"})
        answer = walker.go(visit)
        written += answer.status == OK
        if answer.status == OK:
            assert "attachment" in answer.headers["Content-Disposition"], where
    assert walker.findings == []
    assert written > 0


@pytest.mark.parametrize("name", NOT_EXPORTING)
def test_export_is_refused_to_who_may_only_look_or_add(name: str, world: World) -> None:
    if name in ONE_KIND_OF_RIGHT:
        world.people[name] = with_one_kind_of_right(name)
    walker = walker_of(name, world)
    for where in LISTS:
        visit = Visit(where, f"/admin/{where}/export/", "POST", {"format": "csv", "reason": "x"})
        assert walker.go(visit).status == FORBIDDEN, where
    assert walker.findings == []


def test_export_of_customers_is_not_empty(world: World) -> None:
    walker = walker_of("eve", world)
    visit = Visit("", "/admin/customers/customer/export/", "POST", {"format": "csv", "reason": "x"})
    answer = walker.go(visit)
    assert "17850" in answer.text
    assert str(world.customer.phone) in answer.text


def test_search_by_the_whole_value_keeps_it_nowhere(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client()
    client.force_login(world.people["eve"])
    for kind, canary in (("email", EMAIL), ("phone", PHONE), ("number", EMAIL), ("name", NAME)):
        answer = read(
            client.post("/admin/customers/customer/find/", {"kind": kind, "value": canary.value})
        )
        assert answer.status == 302
        assert leaks(answer.headers["Location"], world.secrets) == []
        assert leaks(read(client.get(answer.headers["Location"])).content, world.secrets) == []
    assert state.kept(world.secrets, caplog.text) == []


def edit(client: Client, world: World, **values: str) -> Any:
    """Post the customer's form with the masks as they stand, but for `values`."""
    customer = world.customer
    url = f"/admin/customers/customer/{customer.pk}/change/"
    masks = {name: str(getattr(customer, name)) for name in ("name", "email", "phone", "country")}
    return client.post(url, {**masks, "_save": "", **values}, follow=True)


def test_form_refused_and_form_saved_say_nothing_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client()
    client.force_login(world.people["eve"])
    refused = edit(client, world, email="no address")
    assert refused.status_code == OK
    assert leaks(refused.content, world.secrets) == []
    saved = edit(client, world, country="Norway", change_reason="moved")
    assert leaks(saved.content, world.secrets) == []
    world.customer.refresh_from_db()
    assert world.customer.country == "Norway"
    assert state.kept(world.secrets, caplog.text) == []


def ask(client: Client, world: World, **values: str) -> Any:
    """Post the form that reveals the phone."""
    url = f"/admin/customers/customer/{world.customer.pk}/reveal/phone/"
    data = {"purpose": "call", "text": "asked to be called", "step_up_proof": PASSWORD}
    return client.post(url, {**data, **values})


def test_reveal_shows_the_one_value_and_keeps_it_nowhere(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client()
    client.force_login(world.people["ann"])
    answer = read(ask(client, world))
    assert answer.status == OK
    shown = leaks(answer.content, world.secrets)
    assert [line.partition(" in ")[0] for line in shown] == ["phone"]
    assert "no-store" in answer.headers["Cache-Control"]
    assert Event.objects.filter(verb="masking.revealed", actor=world.people["ann"]).count() == 1
    assert state.kept(world.secrets, caplog.text) == []


@pytest.mark.parametrize(
    "name",
    ["eve", "max", "oli", "kim", "ada", "nia", "pia", "gus", "sol", "sam", *ONE_KIND_OF_RIGHT],
)
def test_reveal_is_refused_to_everybody_else(name: str, world: World) -> None:
    if name in ONE_KIND_OF_RIGHT:
        world.people[name] = with_one_kind_of_right(name)
    client = Client()
    client.force_login(world.people[name])
    answer = read(ask(client, world))
    assert answer.status in {302, 403}
    assert leaks(answer.content, world.secrets) == []
