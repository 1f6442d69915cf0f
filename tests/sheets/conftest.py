"""The tables of the models that stand for those of other projects."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.masking.tables import standing
from tests.sheets import supplies


@pytest.fixture(scope="session")
def supply_tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the tables for the session."""
    with django_db_blocker.unblock(), standing(*supplies.MODELS):
        yield
