"""The walk itself is tested: plant a leak, a write, an unknown address, and see each reported."""

import gzip
import logging
import tempfile
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from openpyxl import Workbook
from pytest_django import Settings

from backoffice.jobs.models import Job
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
    """Return the clear phone, as careless code might; "" for none."""
    return str(unseal(customer.phone)) if isinstance(customer.phone, Sealed) else ""


def careless_page(request: HttpRequest) -> HttpResponse:
    """Show, log and change by GET what must not be."""
    customer = Customer.objects.get(number="17850")
    logging.getLogger("planted").warning("called %s", raw_phone(customer))
    Customer.objects.filter(pk=customer.pk).update(country="Norway")
    return HttpResponse(f"Call {raw_phone(customer)}", headers={"Cache-Control": "max-age=60"})


def careless_form(request: HttpRequest) -> HttpResponse:
    """Leave a clear value in a row of a task, in the session and in two files."""
    phone = raw_phone(Customer.objects.get(number="17850"))
    if request.method == "POST":
        Job.objects.create(kind="planted", title=f"Call {phone}")
        request.session["called"] = phone
        with tempfile.NamedTemporaryFile(suffix=".gz", delete=False) as packed:
            packed.write(gzip.compress(phone.encode()))
        with tempfile.NamedTemporaryFile(suffix=".xlsx", delete=False) as file:
            book = Workbook()
            book.worksheets[0].append([phone])
            book.save(file)
    return HttpResponse("noted")


def broken_page(request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise RuntimeError


urlpatterns = [
    path("planted/careless/", careless_page, name="careless"),
    path("planted/form/", careless_form, name="form"),
    path("planted/broken/", broken_page, name="broken"),
    path("", include("backoffice.project.urls")),
]


@pytest.fixture
def planted(settings: Settings) -> None:
    """Put the two pages of this file beside the project's."""
    settings.ROOT_URLCONF = __name__


def walk(names: tuple[str, ...], world: World, walker: Walker, method: str = "GET") -> None:
    """Send the walker to these addresses."""
    registry = {**REGISTRY, **{name: once() for name in names}}
    found = [address for address in addresses() if address.key in names]
    for visit in visits(found, world, method, registry=registry):
        walker.go(visit)


@pytest.mark.usefixtures("planted")
def test_new_address_is_reported_by_name() -> None:
    assert unregistered(addresses()) == [
        "broken (planted/broken/)",
        "careless (planted/careless/)",
        "form (planted/form/)",
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
def test_what_a_post_leaves_is_reported_though_it_is_undone(world: World) -> None:
    walker = walker_of("kim", world)
    walk(("form",), world, walker, "POST")
    left = [line.partition(" leaves ")[2].partition(":")[0] for line in walker.findings]
    assert {"phone in a session", "phone in table jobs_job"} <= set(left)
    assert not Job.objects.filter(kind="planted").exists()
    kept = [line.partition(": …")[0] for line in state.kept(world.secrets, "")]
    assert {line.rpartition(".")[2] for line in kept} >= {"gz gzip", "xml"}
    assert [line for line in kept if not line.startswith("phone in file ")] == []


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
