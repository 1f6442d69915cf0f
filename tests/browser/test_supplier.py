"""Journey of operations: a supplier's German csv is explained once, the next is known."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from backoffice.accounts.models import User
from backoffice.sheets.models import ImportJob, ImportProfile
from tests.browser.stage import Actor, Stage

pytestmark = pytest.mark.browser

HEAD = "Tassen GmbH;;;;;;;;\nBeleg;Art-Nr;Bezeichnung;Menge;Datum;Einzelpreis;Kunde;Land;Lager\n"
ROWS = (
    "60000{0}1;ART-10001;Tasse groß;2;03.04.2011 12:00;2,55;12346;France;A\n"
    "60000{0}2;ART-10002;Löffel;10;05.04.2011 09:30;0,85;12347;Germany;B\n"
    "60000{0}3;ART-10003;Teller;1;06.04.2011 17:05;1.234,50;12346;France;A\n"
)
A_MINUTE = 120_000


def upload(actor: Actor, path: Path) -> None:
    """Upload a file on the page Imports."""
    actor.go("Imports")
    actor.page.get_by_label("Workbook or csv file").set_input_files(path)
    actor.click("Upload", "button")


def say_how_it_is_written(actor: Actor) -> None:
    """Answer what the file leaves open; the rows stand below."""
    actor.page.wait_for_url("**/text/")
    actor.look("import-text")
    page = actor.page
    expect(page.get_by_role("cell", name="Löffel")).to_be_visible()
    expect(page.get_by_label("Between columns")).to_have_value(";")
    expect(page.get_by_label("Order of dates")).to_have_value("unsaid")
    actor.sees("Not certain. Probably: Day first (09.12.2011)")
    page.get_by_label("Letters (encoding)").select_option("cp1252")
    page.get_by_label("Order of dates").select_option("dmy")
    actor.click("Show the rows", "button")
    actor.click("Read it so", "button")
    page.wait_for_url("**/sheets/")


def map_columns(actor: Actor) -> None:
    """Choose what the headers do not say, cut off a beginning, and look at the values."""
    page = actor.page
    actor.sees("1 row above it is not read")
    actor.look("import-sheets-csv")
    actor.click("Map the columns", "button")
    page.wait_for_url("**/mapping/")
    actor.sees("Still needed: Invoice, Stock code")
    actor.sees("These columns are not read: A · Beleg, B · Art-Nr, I · Lager")
    page.get_by_label("Order or return number").select_option(label="A · Beleg")
    page.get_by_label("Product code").select_option(label="B · Art-Nr")
    row = page.get_by_role("row").filter(has_text="Product code")
    row.get_by_text("Fixed value, changes").click()
    row.get_by_label("Change", exact=True).select_option("prefix")
    row.get_by_label("First value of the change").fill("ART-")
    actor.click("Show the values", "button")
    expect(page.get_by_role("row").filter(has_text="Product code")).to_contain_text("10001")
    expect(page.get_by_role("row").filter(has_text="Unit price")).to_contain_text("2.55")
    expect(page.get_by_role("row").filter(has_text="Order placed")).to_contain_text("2011-04-03")
    actor.look("import-mapping-values")


def keep(actor: Actor) -> None:
    """Keep the answers as a profile."""
    actor.page.get_by_label("Name of the profile").fill("Tassen GmbH")
    actor.click("Keep as a profile", "button")
    actor.sees("Kept as the profile “Tassen GmbH”.")


def test_second_file_of_a_supplier_goes_straight_to_the_check(stage: Stage, oli: User) -> None:
    stage.start_worker()
    actor = stage.enter(oli)
    first, second = stage.folder / "april.csv", stage.folder / "may.csv"
    first.write_text(HEAD + ROWS.format(1), "cp1252")
    second.write_text(HEAD + ROWS.format(2), "cp1252")
    upload(actor, first)
    say_how_it_is_written(actor)
    map_columns(actor)
    keep(actor)
    actor.click("Check every row", "button")
    actor.page.wait_for_url("**/check/", timeout=A_MINUTE)
    upload(actor, second)
    actor.page.wait_for_url("**/check/", timeout=A_MINUTE)
    # 2 x 2.55 + 10 x 0.85 + 1234.50
    actor.sees("£1,248.10")
    job = ImportJob.objects.get(original_name="may.csv")
    assert (job.profile, job.summary["ready"], job.summary["failed"]) == (
        ImportProfile.objects.get(name="Tassen GmbH"), 3, 0,
    )  # fmt: skip
    actor.go("Formats and profiles")
    actor.look("formats")
    actor.click("Tassen GmbH")
    actor.sees("Cut off a beginning: ART-")
    actor.look("profile")
