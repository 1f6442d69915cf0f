"""Journey of operations: files of suppliers come in through the pages, each read by its profile."""

from pathlib import Path

import pytest
from django.conf import settings

from backoffice.accounts.models import User
from backoffice.sheets.models import ImportJob
from customers.models import Customer
from orders.models import Order, OrderLine, Return
from sellers.models import Product, Seller
from tests.browser.stage import Actor, Stage
from tests.browser.test_import import A_MINUTE, number, start
from tests.sheets import retail_rules, suppliers
from tests.sheets.shared_data import shared

pytestmark = pytest.mark.browser
NORTHWIND = {
    "suppliers.csv": ("Northwind suppliers", Seller),
    "customers.csv": ("Northwind customers", Customer),
    "products.csv": ("Northwind products", Product),
}
DAYS = ("2010-12-01.csv", "2011-11-17.csv", "2011-12-09.csv")


def bring_in(oli: Actor, path: Path, profile: str) -> ImportJob:
    """Upload a file, see what its profile made of it, and import; nothing is mapped by hand."""
    oli.go("Imports")
    oli.page.get_by_label("Workbook or csv file").set_input_files(path)
    oli.click("Upload", "button")
    oli.page.wait_for_url("**/check/", timeout=A_MINUTE)
    job = ImportJob.objects.latest("pk")
    assert job.profile is not None
    assert job.profile.name == profile
    rows = len(list(suppliers.rows(path)))
    assert number(oli, "Rows") == rows == job.summary["read"]
    start(oli)
    return job


def test_northwind_comes_in_by_its_profiles(stage: Stage, oli: User) -> None:
    stage.start_worker()
    actor = stage.enter(suppliers.keep_profiles(oli))
    for name, (profile, model) in NORTHWIND.items():
        path = Path(settings.BASE_DIR) / "fixtures" / "northwind" / name
        bring_in(actor, path, profile)
        rows = len(list(suppliers.rows(path)))
        assert (number(actor, "Created"), number(actor, "Failed")) == (rows, 0)
        assert model._default_manager.count() == rows
    assert Product.objects.get(code="NW-1").seller.name == "Exotic Liquids"


def test_three_days_come_in_one_after_the_other(stage: Stage, oli: User) -> None:
    files = [shared(f"main/online_retail/{name}") for name in DAYS]
    stage.start_worker()
    actor = stage.enter(suppliers.keep_profiles(oli))
    for index, path in enumerate(files, 1):
        bring_in(actor, path, "Online Retail")
        wanted = retail_rules.expected(files[:index])
        assert set(Order.objects.values_list("number", flat=True)) == wanted.orders
        assert set(Return.objects.values_list("number", flat=True)) == wanted.returns
        assert OrderLine.objects.count() == wanted.order_lines
        actor.sees("To the penny")
