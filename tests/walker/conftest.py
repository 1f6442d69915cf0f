"""The world of the walk, and the systems that its pages ask."""

import tempfile
import threading
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from backoffice.accounts.models import User
from fixtures.backends import customer_api, order_api
from fixtures.backends.rest import Table, serve
from tests.canaries import REMOTE
from tests.walker.world import World, build


def _tables() -> tuple[Table, Table]:
    """Return the two systems' rows: one customer whose values are canaries, one order of his."""
    name, email = (canary.value for canary in REMOTE)
    customer = {"id": "17850", "country": "Iceland", "level": "Gold", "name": name, "email": email}
    order = {
        "number": "536365",
        "customer_id": "17850",
        "placed_at": "2010-12-01T08:26:00+00:00",
        "state": "delivered",
        "currency": "GBP",
        "total": 139.12,
    }
    return (
        Table("/customers", [customer], ("id", "name", "country"), customer_api.TOKEN),
        Table("/orders", [order], (), order_api.TOKEN),
    )


@pytest.fixture(scope="session")
def systems() -> Iterator[tuple[str, str]]:
    """Run the two systems on free ports; their addresses."""
    servers = [serve(0, table) for table in _tables()]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    first, second = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    yield first, second
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def _temporary(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """Give kept and temporary files folders of the test's own, looked through at its end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    settings.MEDIA_ROOT = str(tmp_path_factory.mktemp("files"))


@pytest.fixture
def _asked(systems: tuple[str, str], settings: Settings) -> None:
    """Lead the sources to the two systems."""
    settings.BACKOFFICE_CUSTOMER_API_URL, settings.BACKOFFICE_ORDER_API_URL = systems


@pytest.fixture
def world(
    _temporary: None,
    _asked: None,
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
    gus: User,
) -> World:
    """Return the world with its people, by user name."""
    people = (ann, eve, max_, oli, sol, sam, kim, ada, nia, pia, gus)
    return build({person.username: person for person in people})
