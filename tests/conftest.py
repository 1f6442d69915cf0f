"""What every test has: the people, and a database of the kind it asks for."""

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from backoffice.audit import triggers

pytest_plugins = ["tests.people"]

# marker -> the database that the test needs
NEEDS = {"postgres": "postgresql", "sqlite": "sqlite"}


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
    """After a flush the database is as migrated again."""
    yield
    if _flushes(request):
        with django_db_blocker.unblock():
            triggers.install(connection)


@pytest.fixture
def _django_db_helper(
    request: pytest.FixtureRequest, _guarded: None, _django_db_helper: None
) -> Iterator[None]:
    """Lift the triggers of the record at teardown, for the flush alone; tests run under them.

    It stands around pytest-django's fixture of this name, whose teardown is the flush.
    """
    yield
    if _flushes(request):
        triggers.lift(connection)
