"""Journey of operations: two sheets that fit no model are kept, joined on a key and drawn."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backoffice.accounts.models import User
from backoffice.sheets.models import KeptChart, KeptJoin
from customers.models import Customer
from orders.models import Order
from tests.browser.stage import Actor, Stage

pytestmark = pytest.mark.browser
A_MINUTE = 60_000
COUNTRIES = ("France", "Spain", "Italy", "Norway")


def made(folder: Path) -> tuple[Path, Path]:
    """Write parcels, and what they cost; some of each stand alone, and one key stands twice."""
    parcels, costs = folder / "parcels.csv", folder / "costs.csv"
    with parcels.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["parcel_code", "recipient email", "sent", "country"])
        for number in range(40):
            day, country = f"2024-0{number % 3 + 1}-15", COUNTRIES[number % 4]
            writer.writerow([f"{number:04}", f"p{number}@example.com", day, country])
    with costs.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["parcel_code", "price_eur"])
        for number in [*range(5, 45), 7]:
            writer.writerow([f"{number:04}", f"{number * 1.37:.2f}"])
    return parcels, costs


def keep(oli: Actor, path: Path) -> None:
    """Upload a file on the page Kept sheets, and keep its sheet under its name."""
    oli.go("Kept sheets")
    oli.page.get_by_label("Workbook or csv file to keep").set_input_files(path)
    oli.click("Upload", "button")
    oli.page.wait_for_url("**/keep/")
    expect(oli.page.get_by_label("Name of the table")).to_have_value(path.stem)
    oli.look("kept-keep")
    oli.click("Keep", "button")
    oli.page.wait_for_url("**/kept/**")
    expect(oli.named("New chart")).to_be_visible(timeout=A_MINUTE)
    oli.look("kept-sheet")


def listed(oli: Actor, tab: str) -> list[str]:
    """Return the keys in the table below a tab of the join."""
    oli.page.get_by_role("link", name=tab).click()
    oli.page.wait_for_url("**rows=**")
    return oli.page.locator("main table tbody tr td:first-child").all_inner_texts()


def test_two_sheets_are_joined_and_drawn(stage: Stage, oli: User) -> None:
    stage.start_worker()
    parcels, costs = made(stage.folder)
    left, right = (list(csv.DictReader(path.open())) for path in (parcels, costs))
    actor = stage.enter(oli)
    keep(actor, parcels)
    assert "p0@example.com" not in actor.page.content()
    keep(actor, costs)
    actor.click("Join")
    actor.page.get_by_label("Sheet", exact=True).select_option(label="parcels")
    actor.page.get_by_label("Joined with").select_option(label="costs")
    actor.click("Choose the keys", "button")
    actor.page.get_by_label("Key in the first").select_option(label="parcel_code")
    actor.look("kept-join-new")
    actor.click("Join", "button")
    actor.page.wait_for_url("**/kept/joins/**")
    actor.look("kept-join")
    # What plain Python counts in the same files.
    country = {row["parcel_code"]: row["country"] for row in left}
    paired = [row for row in right if row["parcel_code"] in country]
    priced = {row["parcel_code"] for row in right}
    total = sum(Decimal(row["price_eur"]) for row in paired)
    cards = actor.page.locator(".bo-kpi").filter(has_text="Pairs")
    expect(cards.locator(".bo-kpi-value")).to_have_text(str(len(paired)))
    assert listed(actor, "Only in parcels") == [
        row["parcel_code"] for row in left if row["parcel_code"] not in priced
    ]
    assert listed(actor, "Only in costs") == [
        row["parcel_code"] for row in right if row["parcel_code"] not in country
    ]
    actor.click("New chart")
    actor.page.get_by_label("Group by").select_option(label="parcels: country")
    actor.page.get_by_label("Measure").select_option(label="Sum")
    actor.page.get_by_label("Of the column").select_option(label="costs: price_eur")
    actor.page.get_by_label("Name of the chart").fill("Costs by country")
    actor.look("kept-chart-new")
    actor.click("Draw and save", "button")
    actor.page.wait_for_url("**/kept/charts/**")
    expect(actor.page.locator(".bo-chart-plot .main-svg").first).to_be_visible()
    actor.look("kept-chart")
    actor.page.get_by_role("button", name="Show as a table").or_(
        actor.page.get_by_title("Show as a table")
    ).first.click()
    foot = actor.page.locator(".bo-chart-table tfoot")
    expect(foot).to_contain_text(f"€{total:,}")
    spain = sum(
        Decimal(row["price_eur"]) for row in paired if country[row["parcel_code"]] == "Spain"
    )
    actor.page.get_by_role("link", name=f"€{spain:,}").click()
    actor.page.wait_for_url("**/kept/joins/**")
    rows = [row for row in paired if country[row["parcel_code"]] == "Spain"]
    actor.sees(f"{len(rows)} of {len(paired)} rows")
    expect(actor.page.locator("main tfoot")).to_contain_text(f"€{spain:,}")
    assert (KeptJoin.objects.count(), KeptChart.objects.count()) == (1, 1)
    assert not Order.objects.exists()
    assert not Customer.objects.exists()
