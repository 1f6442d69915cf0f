"""What every test has: the people, and a database of the kind it asks for."""

import gc
import os
import sys
import time
from collections.abc import Iterator
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from pytest_django import DjangoDbBlocker

from backoffice.accounts import limits
from backoffice.audit import history, triggers
from payments.models import triggers as books
from tests.alike import is_alike
from tests.migrated import Migrated

pytest_plugins = ["tests.people", "tests.masking.tables", "tests.peers.fixtures"]

WHOLE = os.environ.get("BACKOFFICE_WHOLE") == "1"
_DAY = 24 * 60 * 60
# marker -> the database that the test needs
NEEDS = {"postgres": "postgresql", "sqlite": "sqlite"}
# Without one of them pytest-django lets no test near the database; `request` may ask for any.
USES = {"db", "transactional_db", "live_server"}
MAY_USE = "request"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL leave out what no database decides: it has run on SQLite, and can tell no more.

    That is what uses none, and what `tests.alike` names unless all is asked for. A test whose
    processes use the database says so by the marker `both_databases`.
    """
    if connection.vendor != "postgresql":
        return
    alike = [item for item in items if not differs(item)]
    config.hook.pytest_deselected(items=alike)
    items[:] = [item for item in items if differs(item)]


def pytest_collection_finish() -> None:
    """Keep the collector of garbage from walking through what lives for the whole run anyway."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def differs(item: pytest.Item) -> bool:
    """Say whether the outcome of the test may depend on the database."""
    named = any(item.get_closest_marker(name) for name in ("both_databases", *NEEDS))
    alike = not WHOLE and is_alike(item.path, item.name) and not commits(item)
    return named or (uses_database(item) and not alike)


def commits(item: pytest.Item) -> bool:
    """Say whether the test needs more than one transaction: how these meet, a database decides."""
    marker = item.get_closest_marker("django_db")
    return marker is not None and bool(marker.kwargs.get("transaction"))


def uses_database(item: pytest.Item) -> bool:
    """Say whether the test asks for the database, by a fixture or by the marker."""
    asked = USES & set(getattr(item, "fixturenames", ()))
    may = isinstance(item, pytest.Function) and MAY_USE in signature(item.function).parameters
    return bool(asked) or may or item.get_closest_marker("django_db") is not None


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
    worker_id: str,
    testrun_uid: str,
) -> Iterator[None]:
    """Let one worker of a run migrate, and the others begin with a copy.

    Steps of one `.ci/test` are one run: its folder, BACKOFFICE_RUN, keeps what they share.
    """
    if worker_id == "master":
        request.getfixturevalue("django_db_setup")
        yield
        return
    steps = os.environ.get("BACKOFFICE_RUN", "")
    run = Path(steps).name.replace("-", "_") if steps else testrun_uid
    shared = Migrated(connection, run, Path(steps or settings.VAR_DIR))
    with django_db_blocker.unblock(), shared.locked():
        if shared.exists():
            with shared.copied():
                request.getfixturevalue("django_db_setup")
        else:
            request.getfixturevalue("django_db_setup")
            shared.keep()
    os.environ["BACKOFFICE_MIGRATED"] = shared.place
    yield
    if shared.made and not steps:
        with django_db_blocker.unblock(), shared.locked():
            shared.drop()


@pytest.fixture(scope="session", autouse=True)
def _states_made_by_tests() -> None:
    """Let a test write rows past their history, but only by a call in a module of the tests.

    States that no service would make are made so; whatever the project's own code or a package
    calls meets the guard as in life. `tests.audit.test_history` asks for the guard itself.
    """
    for name in ("update", "bulk_create", "bulk_update", "delete"):
        setattr(QuerySet, name, _open_to_tests(getattr(QuerySet, name)))


class _Noon:
    """The clock of the limits, standing still where a window of any length has just begun."""

    def __init__(self) -> None:
        now = int(time.time())
        self._now = now - now % _DAY + _DAY // 2 + 1

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return self._now


@pytest.fixture(autouse=True)
def _no_window_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count all tries of one test in one window, whatever the time of the day."""
    monkeypatch.setattr(limits, "time", _Noon())


def _open_to_tests(guarded: Any) -> Any:
    @wraps(guarded)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        if frame.f_code.co_filename.endswith("db/models/manager.py"):  # Model.objects.update(…)
            frame = frame.f_back or frame
        name = str(frame.f_globals.get("__name__", ""))
        if not name.startswith("tests.") or frame.f_globals.get("GUARDED"):
            return guarded(self, *args, **kwargs)
        with history.recorded():
            return guarded(self, *args, **kwargs)

    return method


@pytest.fixture(autouse=True)
def _right_database(request: pytest.FixtureRequest) -> None:
    """Skip a test that speaks of the other database."""
    for marker, vendor in NEEDS.items():
        if request.node.get_closest_marker(marker) and connection.vendor != vendor:
            pytest.skip(f"speaks of {vendor}")


def _flushes(request: pytest.FixtureRequest) -> bool:
    """Say whether the test's database is emptied table by table at its end."""
    marker = request.node.get_closest_marker("django_db")
    names = {"transactional_db", "live_server"} & set(request.fixturenames)
    return bool(names) or (marker is not None and bool(marker.kwargs.get("transaction")))


@pytest.fixture
def _guarded(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """After a flush the database is as migrated again.

    Whoever gets the database says so before the tests are chosen, see above.
    """
    assert uses_database(request.node), "ask for `db`: else this never runs on PostgreSQL"
    yield
    if _flushes(request):
        with django_db_blocker.unblock():
            triggers.install(connection)
            books.install(connection)


@pytest.fixture
def _django_db_helper(
    request: pytest.FixtureRequest, _guarded: None, _django_db_helper: None
) -> Iterator[None]:
    """Lift the triggers of record and books at teardown, for the flush alone; tests run under them.

    It stands around pytest-django's fixture of this name, whose teardown is the flush.
    """
    yield
    if _flushes(request):
        triggers.lift(connection)
        books.lift(connection)
