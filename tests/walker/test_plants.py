"""The walk itself is tested: plant a leak, a write, an unknown address, and see each reported."""

import logging
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from pytest_django import Settings

from backoffice.masking.values import Sealed, unseal
from customers.admin import CustomerAdmin
from customers.models import Customer
from tests.walker import state
from tests.walker.addresses import addresses
from tests.walker.registry import REGISTRY, once, unregistered, visits
from tests.walker.test_walk import walker_of
from tests.walker.walk import Visit, Walker
from tests.walker.world import World

LIST = "/admin/customers/customer/"


def raw_phone(customer: Customer) -> str:
    """Return the clear phone, as careless code might."""
    assert isinstance(customer.phone, Sealed)
    return str(unseal(customer.phone))


def careless_page(request: HttpRequest) -> HttpResponse:
    """Show, log and change by GET what must not be."""
    customer = Customer.objects.get(number="17850")
    logging.getLogger("planted").warning("called %s", raw_phone(customer))
    Customer.objects.filter(pk=customer.pk).update(country="Norway")
    return HttpResponse(f"Call {raw_phone(customer)}", headers={"Cache-Control": "max-age=60"})


def broken_page(request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise RuntimeError


urlpatterns = [
    path("planted/careless/", careless_page, name="careless"),
    path("planted/broken/", broken_page, name="broken"),
    path("", include("backoffice.project.urls")),
]


@pytest.fixture
def planted(settings: Settings) -> None:
    """Put the two pages of this file beside the project's."""
    settings.ROOT_URLCONF = __name__


def walk(names: tuple[str, ...], world: World, walker: Walker) -> None:
    """Send the walker to these addresses."""
    registry = {**REGISTRY, **{name: once() for name in names}}
    found = [address for address in addresses() if address.key in names]
    for visit in visits(found, world, registry=registry):
        walker.go(visit)


@pytest.mark.usefixtures("planted")
def test_new_address_is_reported_by_name() -> None:
    assert unregistered(addresses()) == [
        "broken (planted/broken/)",
        "careless (planted/careless/)",
    ]


@pytest.mark.usefixtures("planted")
def test_planted_leak_write_and_log_line_are_reported(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    walker = walker_of("kim", world)
    before = state.snapshot()
    walk(("careless",), world, walker)
    assert len(walker.findings) == len(("may be stored", "phone in the answer"))
    assert "kim: GET careless /planted/careless/: Cache-Control is max-age=60" in walker.findings
    assert "leaks phone in the answer" in walker.findings[1]
    changed = state.changed(before, state.snapshot())
    assert [line.partition(":")[0] for line in changed] == ["customers_customer"]
    assert any(
        line.startswith("phone in the log") for line in state.kept(world.secrets, caplog.text)
    )


@pytest.mark.usefixtures("planted")
def test_planted_error_is_reported(world: World) -> None:
    walker = walker_of("kim", world)
    walk(("broken",), world, walker)
    assert "kim: GET broken /planted/broken/: answered 500" in walker.findings


def test_planted_column_is_reported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def column(_page: Any, customer: Customer) -> str:
        return raw_phone(customer)

    monkeypatch.setattr(CustomerAdmin, "careless", column, raising=False)
    monkeypatch.setattr(CustomerAdmin, "list_display", (*CustomerAdmin.list_display, "careless"))
    walker = walker_of("eve", world)
    walker.go(Visit("admin:customers_customer_changelist", LIST))
    assert len(walker.findings) == 1
    assert "leaks phone in the answer" in walker.findings[0]


def test_walk_without_a_plant_finds_nothing(world: World) -> None:
    walker = walker_of("eve", world)
    answer = walker.go(Visit("admin:customers_customer_changelist", LIST))
    assert walker.findings == []
    assert "•" in answer.text
