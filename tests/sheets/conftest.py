"""The tables of the models that stand for those of other projects."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.masking.tables import standing
from tests.sheets import supplies


@pytest.fixture(scope="session")
def _tables_of_supplies(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Make the tables for the session."""
    with django_db_blocker.unblock(), standing(*supplies.MODELS):
        yield


@pytest.fixture
def supply_tables(_tables_of_supplies: None) -> Iterator[None]:
    """Have the tables, and the formats for this test alone."""
    supplies.register()
    yield
    supplies.take_out()


@pytest.fixture
def emptied(supply_tables: None, transactional_db: None) -> Iterator[None]:
    """Empty the tables that no migration knows, before and after."""

    def empty() -> None:
        for model in (supplies.Supply, supplies.Ruled):
            model.history.all().delete()
            model.objects.all()._raw_delete(model.objects.db)

    empty()
    yield
    empty()
