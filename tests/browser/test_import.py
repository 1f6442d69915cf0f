"""Journey of operations: the workbook comes in, once; failed rows are corrected and come in too."""

import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import expect

from backoffice.accounts.models import User
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return, ReturnLine
from sellers.models import Product, Seller
from tests.browser import workbooks
from tests.browser.stage import Actor, Stage, Worker
from tests.factories import make_seller
from tests.people import allow

pytestmark = pytest.mark.browser

WORKBOOK = Path(settings.BASE_DIR) / "fixtures" / "online_retail_II.xlsx"
WHOLE = os.environ.get("BACKOFFICE_WHOLE") == "1"  # `make soak-import`
LINES = 34_766
# What the rules of orders/sheets make of the file's rows.
ROWS = {
    "Customer": 262,
    "Product": 2_922,
    "Order": 1_439,
    "OrderLine": 32_592,
    "Charge": 976 + 69,
    "Return": 303,
    "ReturnLine": 688,
}
MODELS = (Customer, Product, Order, OrderLine, Charge, Return, ReturnLine)
A_MINUTE = 120_000


def counts() -> dict[str, int]:
    """Return how many rows and rows of history there are."""
    return {
        name: rows
        for model in MODELS
        for name, rows in (
            (model.__name__, model.objects.count()),
            (f"history of {model.__name__}", model.history.count()),
        )
    }


def upload(oli: Actor, path: Path) -> None:
    """Upload a file on the page Imports."""
    oli.go("Imports")
    oli.look("imports")
    oli.page.get_by_label("Workbook or csv file").set_input_files(path)
    oli.click("Upload", "button")
    oli.page.wait_for_url("**/sheets/")
    oli.look("import-sheets")


def check(oli: Actor) -> None:
    """Go on to the mapping and have every row checked."""
    oli.click("Map the columns", "button")
    oli.page.wait_for_url("**/mapping/")
    oli.look("import-mapping")
    oli.click("Check every row", "button")
    oli.page.wait_for_url("**/check/", timeout=A_MINUTE)
    oli.look("import-check")


def start(oli: Actor, watched: Worker | None = None) -> None:
    """Start the import and wait for its result; with `watched`, see that worker's bar move."""
    oli.page.get_by_role("button", name="Import").first.click()
    oli.page.wait_for_url("**/run/")
    if watched:
        _watch(oli, watched)
    oli.page.wait_for_url("**/result/", timeout=A_MINUTE)
    oli.look("import-result")


def _watch(oli: Actor, worker: Worker) -> None:
    """See the bar stand somewhere, and then somewhere else."""
    bar = oli.page.locator("main").get_by_role("progressbar")
    expect(bar).to_have_attribute("value", re.compile(r"^[1-9]"), timeout=A_MINUTE)
    with worker.paused():
        oli.look("import-run")
        before = bar.get_attribute("value") or ""
    expect(bar).not_to_have_attribute("value", before, timeout=A_MINUTE)


def number(oli: Actor, label: str) -> int:
    """Return the figure of one of the cards of the result."""
    named = oli.page.locator(".bo-kpi-label").filter(has_text=re.compile(rf"^{label}"))
    card = oli.page.locator(".bo-kpi").filter(has=named).first
    return int(card.locator(".bo-kpi-value").inner_text().replace(",", ""))


def test_workbook_comes_in_once(stage: Stage, oli: User) -> None:
    worker = stage.start_worker()
    actor = stage.enter(oli)
    upload(actor, WORKBOOK)
    for name in ("Year 2009-2010", "Year 2010-2011"):
        expect(actor.page.get_by_role("checkbox", name=name)).to_be_checked()
    actor.sees(f"{LINES:,} rows")
    check(actor)
    assert number(actor, "Rows") == LINES
    start(actor, watched=worker)
    made = counts()
    assert {name: made[name] for name in ROWS} == ROWS
    # One shop is made too: the file names none.
    assert number(actor, "Created") == sum(ROWS.values()) + 1
    assert (number(actor, "Skipped"), number(actor, "Failed")) == (0, 0)
    for text in (
        "To the penny",
        "£1,284,919.82",
        "\N{MINUS SIGN}£63,196.16",
        "23 invoices",
        "441 lines",
    ):
        actor.sees(text)
    if WHOLE:
        _again_changes_nothing(actor, made)


def _again_changes_nothing(actor: Actor, made: dict[str, int]) -> None:
    upload(actor, WORKBOOK)
    check(actor)
    start(actor)
    assert number(actor, "Created") == 0
    assert number(actor, "Unchanged") == sum(ROWS.values()) + 1
    assert counts() == made


@pytest.fixture
def shopkeeper(oli: User) -> User:
    """Return somebody of operations who may also import lists of shops."""
    for name in ("sellers.add_seller", "sellers.change_seller", "sellers.view_seller"):
        oli = allow(oli, name)
    return oli


def test_difference_is_looked_at_before_anything_is_written(stage: Stage, shopkeeper: User) -> None:
    for code in ("cups", "pots"):
        make_seller(code)
    stage.start_worker()
    actor = stage.enter(shopkeeper)
    upload(actor, workbooks.shops(stage.folder / "shops.xlsx"))
    check(actor)
    for label, count in (("New", 2), ("Changed", 1), ("Unchanged", 1), ("Failed", 1)):
        assert number(actor, label) == count, label
    actor.click("See the difference")
    actor.look("import-difference")
    actor.sees("What changes on 1 record")
    shown = actor.page.get_by_role("table")
    expect(shown.locator("del")).to_have_text("Cups")
    expect(shown.locator("ins")).to_have_text("Cups and Saucers")
    actor.page.get_by_role("link", name="New 2").click()
    expect(shown).to_contain_text("Plates")
    expect(shown).not_to_contain_text("Saucers")
    actor.page.get_by_role("link", name="Failed 1").click()
    expect(shown).to_contain_text("is not a valid choice")
    actor.look("import-difference-failed")
    assert Seller.objects.get(code="cups").name == "Cups"
    actor.click("Back to the check")
    actor.page.wait_for_url("**/check/")  # the page before has a button of this name too
    start(actor)
    assert (number(actor, "Created"), number(actor, "Failed")) == (2, 1)
    assert Seller.objects.get(code="cups").name == "Cups and Saucers"
    upload(actor, _mended(actor, stage))
    check(actor)
    assert (number(actor, "New"), number(actor, "Failed")) == (1, 0)
    start(actor)
    codes = ("cups", "pots", "plates", "bowls", "jugs")
    assert Seller.objects.filter(code__in=codes).count() == len(codes)


def _mended(actor: Actor, stage: Stage) -> Path:
    """Download the failed rows and correct the cells that have a comment."""
    with actor.page.expect_download() as started:
        actor.click("xlsx to correct", "button")
    path = stage.folder / "failed-shops.xlsx"
    started.value.save_as(path)
    return workbooks.mended(path, "active")


def test_failed_rows_are_corrected_and_come_in(stage: Stage, oli: User) -> None:
    stage.start_worker()
    actor = stage.enter(oli)
    upload(actor, workbooks.with_mistakes(stage.folder / "orders.xlsx", 200))
    check(actor)
    # Of a text in the column of pieces only the length is shown: it may be anything.
    for row, column, value in (("7", "Quantity", "(5 characters)"), ("11", "Invoice date", "")):
        problem = actor.page.get_by_role("row").filter(has_text=column).filter(has_text="Failed")
        expect(problem).to_contain_text(row)
        expect(problem).to_contain_text(value)
    actor.click("Show every one")
    actor.look("import-problems")
    actor.page.go_back()
    start(actor)
    assert (number(actor, "Failed"), OrderLine.objects.count()) == (2, 198)
    with actor.page.expect_download() as started:
        actor.click("xlsx to correct", "button")
    failed = stage.folder / "failed.xlsx"
    started.value.save_as(failed)
    target, said = workbooks.corrected(failed)
    assert said == 2
    upload(actor, target)
    check(actor)
    start(actor)
    assert number(actor, "Failed") == 0
    assert OrderLine.objects.count() == 200
