"""The demo's two systems, and the settings that lead to them."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from orders import workflows
from tests.backends import Backend, running


@pytest.fixture
def customer_api(settings: Settings) -> Iterator[Backend]:
    for backend in running("customer_api.py"):
        settings.BACKOFFICE_CUSTOMER_API_URL = backend.url
        yield backend


@pytest.fixture
def order_api(settings: Settings) -> Iterator[Backend]:
    for backend in running("order_api.py"):
        settings.BACKOFFICE_ORDER_API_URL = backend.url
        yield backend


@pytest.fixture
def page() -> type[workflows.CustomerOrders]:
    """The page of the demo."""
    return workflows.CustomerOrders
