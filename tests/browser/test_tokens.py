"""Journey of the owner: a program gets an account and a token, uses it, and loses it."""

import re

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from backoffice.accounts.models import Token
from tests.browser.stage import Stage
from tests.walker.world import World

pytestmark = pytest.mark.browser

OK, GONE = 200, 401


def test_owner_gives_a_program_a_token_and_takes_it_back(
    stage: Stage, world: World, live_server: LiveServer
) -> None:
    kim = stage.enter(world.people["kim"])
    kim.go("Service accounts")
    kim.look("service-accounts")
    kim.click("New service account")
    dialog = kim.dialog()
    dialog.get_by_label("What is it for?").fill("Stock sync")
    dialog.get_by_label("Operations").check()
    dialog.get_by_label("Why?").fill("Nightly stock")
    dialog.get_by_role("button", name="Make it").click()
    kim.sees("Stock sync is made. It needs a token.")

    kim.click("New token for Stock sync")
    dialog = kim.dialog()
    dialog.get_by_label("What is it for?").fill("Nightly run")
    dialog.get_by_label("Read products").check()
    dialog.get_by_label("Why?").fill("Nightly stock")
    kim.look("token-new")
    dialog.get_by_role("button", name="Make it").click()
    shown = kim.dialog().get_by_label("Copy it now.")
    text = shown.input_value()
    kim.look("token-made")
    assert re.fullmatch(r"bo_[a-z2-7]{8}_[A-Za-z0-9_-]{43}", text)

    def call() -> int:
        headers = {"Authorization": f"Bearer {text}"}
        where = f"{live_server.url}/api/v1/products/"
        return requests.get(where, headers=headers, timeout=30).status_code

    assert call() == OK
    kim.click("Done")
    kim.sees("Nightly run")
    assert text not in kim.page.content()

    kim.click("End Nightly run")
    kim.dialog().get_by_label("Why?").fill("Replaced")
    kim.dialog().get_by_role("button", name="End this token").click()
    kim.sees("The token is ended.")
    assert call() == GONE
    assert Token.objects.get(name="Nightly run").ended_by == world.people["kim"]
