"""The world of the walk, and the systems that its pages ask."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker, Settings

from fixtures.backends import customer_api, order_api
from fixtures.backends.rest import Table, serve
from tests.canaries import REMOTE
from tests.people import everybody
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
def _asked(systems: tuple[str, str], settings: Settings) -> None:
    """Lead the sources to the two systems."""
    settings.BACKOFFICE_CUSTOMER_API_URL, settings.BACKOFFICE_ORDER_API_URL = systems


@dataclass(frozen=True)
class _Made:
    """A world, and the folder of the files that it keeps."""

    world: World
    files: Path


@pytest.fixture(scope="module")
def _made(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[_Made]:
    """Make the world once for a module; its transaction is taken back at the module's end."""
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]  # as Django's own TestCase says it
    files = tmp_path_factory.mktemp("files")
    with django_db_blocker.unblock(), outer:
        with override_settings(MEDIA_ROOT=str(files)):
            made = _Made(build(everybody()), files)
        yield made
        transaction.set_rollback(True)


@pytest.fixture
def world(
    _made: _Made,
    _asked: None,
    db: None,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> World:
    """Return the world, as if made for this test alone: what the test does to it is undone.

    Kept and temporary files get folders of the test's own, looked through at its end.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    settings.MEDIA_ROOT = str(tmp_path_factory.mktemp("files"))
    shutil.copytree(_made.files, settings.MEDIA_ROOT, dirs_exist_ok=True)
    cache.clear()
    return deepcopy(_made.world)
