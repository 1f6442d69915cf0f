"""A Chromium, and the whole system around it: web, worker, simulator, two backends."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from backoffice.accounts.models import User
from tests.browser.backends import BackendProcess
from tests.browser.looks import Looks
from tests.browser.stage import Stage
from tests.simulator import SimulatorProcess
from tests.walker.world import World, build

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Run the browser: $CHROMIUM, one on the PATH, or playwright's own."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("missing: a Chromium (set CHROMIUM, or install one)")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def looks() -> Looks:
    """Return what remembers the pages that were looked at."""
    return Looks()


@pytest.fixture
def simulator(tmp_path: Path, settings: Settings) -> Iterator[SimulatorProcess]:
    """Run the gateway simulator; the alias "simulator" leads to it."""
    with SimulatorProcess(tmp_path / "gateway.sqlite3") as process:
        settings.GATEWAYS = {
            "simulator": {
                "BACKEND": "payments.gateways.simulator.Simulator",
                "OPTIONS": {"base_url": process.url},
            }
        }
        yield process


@pytest.fixture
def backends(settings: Settings) -> Iterator[dict[str, BackendProcess]]:
    """Run the customer system and the order system."""
    with BackendProcess("customer_api.py") as customers, BackendProcess("order_api.py") as orders:
        settings.BACKOFFICE_CUSTOMER_API_URL = customers.url
        settings.BACKOFFICE_ORDER_API_URL = orders.url
        yield {"customers": customers, "orders": orders}


@pytest.fixture
def world(
    transactional_db: None,
    ann: User,
    eve: User,
    max_: User,
    oli: User,
    sol: User,
    sam: User,
    kim: User,
    ada: User,
    nia: User,
    pia: User,
) -> World:
    """Return the walker's small business with its people, by user name."""
    people = (ann, eve, max_, oli, sol, sam, kim, ada, nia, pia)
    return build({person.username: person for person in people})


@pytest.fixture
def stage(
    transactional_db: None,
    live_server: LiveServer,
    chromium: Browser,
    looks: Looks,
    tmp_path: Path,
) -> Iterator[Stage]:
    """Set the stage; afterwards nothing may have been complained about."""
    with ExitStack() as stack:
        stage = Stage(live_server.url, chromium, looks, stack, tmp_path)
        yield stage
    looks.found, found = [], looks.found
    problems = [*stage.complaints(), *found]
    assert not problems, "\n".join(problems)
