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
from sellers.models import Product
from tests.browser import workbooks
from tests.browser.stage import Actor, Stage, Worker

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
    card = oli.page.locator(".bo-kpi").filter(has_text=label).first
    return int(card.locator(".bo-kpi-value").inner_text().replace(",", ""))


def test_workbook_comes_in_once(stage: Stage, oli: User) -> None:
    worker = stage.start_worker()
    actor = stage.enter(oli)
    upload(actor, WORKBOOK)
    for name in ("Year 2009-2010", "Year 2010-2011"):
        expect(actor.page.get_by_label(name)).to_be_checked()
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
