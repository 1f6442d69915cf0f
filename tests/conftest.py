"""What every test has: the people, and a database of the kind it asks for."""

import pytest
from django.db import connection

pytest_plugins = ["tests.people"]

# marker -> the database that the test needs
NEEDS = {"postgres": "postgresql", "sqlite": "sqlite"}


@pytest.fixture(autouse=True)
def _right_database(request: pytest.FixtureRequest) -> None:
    """Skip a test that speaks of the other database."""
    for marker, vendor in NEEDS.items():
        if request.node.get_closest_marker(marker) and connection.vendor != vendor:
            pytest.skip(f"speaks of {vendor}")
