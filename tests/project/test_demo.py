"""The demo: what it makes, and where it refuses."""

from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.mail.models import Mail
from backoffice.masking import whole
from backoffice.project import seed
from backoffice.sheets.models import ImportJob
from customers.models import Customer
from customers.services import retention
from orders.models import ChangeRequest, Order, OrderLine
from payments.models import Break, Dispute, Payment, ReconciledDay, Refund
from payments.services import checking
from sellers.models import Product, Seller
from tests.simulator import SimulatorProcess


def test_demo_is_refused_in_production(db: None, settings: Settings) -> None:
    settings.PRODUCTION = True
    for command in (["demo"], ["demo", "--reset"], ["serve", "backends"]):
        with pytest.raises(CommandError, match="not for production"):
            call_command(*command)
    assert not User.objects.exists()


def test_demo_is_refused_where_data_is_in_the_way(ann: User) -> None:
    with pytest.raises(CommandError, match="not empty"):
        call_command("demo")
    assert list(User.objects.all()) == [ann]


def test_demo_is_refused_without_the_simulator(db: None, settings: Settings) -> None:
    settings.GATEWAYS = {"simulator": {"OPTIONS": {"base_url": "http://127.0.0.1:9"}}}
    with pytest.raises(CommandError, match="make backends"):
        call_command("demo", stdout=StringIO())
    assert not User.objects.exists()


@pytest.mark.sqlite  # as `make run` fills it; the parts it is made of are tested on both
def test_demo_is_filled(transactional_db: None, settings: Settings, tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path / "gateway.sqlite3") as simulator:
        settings.MEDIA_ROOT = tmp_path
        entry = dict(settings.GATEWAYS["simulator"])
        entry["OPTIONS"] = {**entry["OPTIONS"], "base_url": simulator.url}
        settings.GATEWAYS = {**settings.GATEWAYS, "simulator": entry}
        call_command("demo", stdout=StringIO())
        booked = {row["id"]: row["status"] for row in simulator.all_refunds()}
        faults = {name for name, value in simulator.get("/switches").items() if value}

    went_out = dict(Refund.objects.exclude(gateway_ref="").values_list("gateway_ref", "state"))
    states = Counter(Refund.objects.values_list("state", flat=True))
    assert set(states) >= {
        "requested", "rejected", "withdrawn", "succeeded", "pending", "failed", "reversed",
        "external",
    }  # fmt: skip
    assert states["needs_review"] + states["unknown"] == 1
    done = [reference for reference, state in went_out.items() if state == "succeeded"]
    assert {booked[reference] for reference in done} == {"succeeded"}
    assert Refund.objects.filter(gateway="manual", state="pending").exists()
    assert Dispute.objects.count() == 1
    assert not faults
    by_state = dict(ReconciledDay.objects.values_list("state", "day"))
    assert set(by_state) == {"open", "closed"}
    assert set(Break.objects.values_list("day", "state")) == {(by_state["open"], "open")}
    assert not list(checking.books())  # captured, held, refunded and the ledger agree
    assert set(Mail.objects.values_list("state", flat=True)) == {"sent"}
    requests = Counter(ChangeRequest.objects.values_list("state", flat=True))
    assert requests == {"requested": 4, "rejected": 1}
    assert {user.username for user in User.objects.all()} == {
        person.username for person in seed.PEOPLE
    }
    assert all(user.check_password(seed.PASSWORD) for user in User.objects.all())
    assert retention.customers_due("2016-01-01").exists()  # the demo's page of retention is filled
    sheet = ImportJob.objects.get()
    assert all(one["system"] == one["ready"] for one in sheet.sums)

    states = Counter(Order.objects.values_list("status", flat=True))
    assert {name: states[name] for name in seed.OPEN_ORDERS} == seed.OPEN_ORDERS
    due = Order.objects.filter(total_minor__gt=0).exclude(status=Order.Status.PLACED)
    paid = Payment.objects.values_list("order__total_minor", "captured_minor")
    assert len(paid) == due.count()
    assert set(Payment.objects.values_list("gateway", flat=True)) == {"manual", "simulator"}
    assert all(total == captured for total, captured in paid)

    assert Product.objects.values("seller").distinct().count() == len(seed.SHOPS)
    sol = Seller.objects.get(memberships__user__username="sol")
    assert Product.objects.filter(seller=sol).exists()
    assert not OrderLine.objects.exclude(product__seller_id=F("seller_id")).exists()
    for number in Customer.objects.values_list("number", flat=True):
        assert Customer.objects.get(email=whole(f"customer{number}@example.com")).number == number
