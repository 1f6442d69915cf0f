"""A sheet may hold personal values in any cell; no page of its import shows them to anybody.

Only whoever uploaded the file gets its failed rows back, as a workbook.
"""

import logging
import re

import pytest

from backoffice.sheets.models import ImportJob
from tests.canaries import CUSTOMER, leaks
from tests.sheets.made import HEAD, book, check, line, run, upload
from tests.walker import state
from tests.walker.addresses import addresses
from tests.walker.cast import STAFF
from tests.walker.registry import IMPORT_PAGES, visits
from tests.walker.test_walk import OK, walker_of
from tests.walker.walk import Visit
from tests.walker.world import World

OWN_NAMES = re.compile(r"oli: GET admin:import_(sheets|mapping|dialect) .* leaks name in")
NAME, EMAIL, PHONE = (canary.value for canary in CUSTOMER)


@pytest.fixture
def spoiled(world: World) -> ImportJob:
    """Return an import by oli: personal values in the wrong columns, and in one of no meaning."""
    rows = [
        [*line(), NAME],
        [*line(600002, quantity=EMAIL), EMAIL],
        [*line(600003, at=PHONE), PHONE],
        [*line(600004, price=NAME), ""],
        [*line(600005, customer=f"{EMAIL} {NAME}"), ""],
    ]
    job = upload(book(rows, head=(*HEAD, "Note")), world.people["oli"])
    check(job)
    run(job)
    world.rows["importjob"] = job
    return job


def test_pages_of_an_import_show_no_cell_that_may_be_personal(
    world: World, spoiled: ImportJob, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert spoiled.problems.filter(severity="failed").count() >= 3
    pages = [one for one in addresses() if one.key.removeprefix("admin:") in IMPORT_PAGES]
    findings = []
    for name in STAFF:
        walker = walker_of(name, world)
        for visit in visits(pages, world):
            walker.go(visit)
        findings += walker.findings
    # A name that stands in a column of numbers is seen by whom the file belongs, while they say
    # which column is which; nobody else, and no phone or e-mail, is.
    assert [one for one in findings if not OWN_NAMES.match(one)] == []
    assert state.kept(world.secrets, caplog.text) == []


def test_failed_rows_go_to_their_owner_only(world: World, spoiled: ImportJob) -> None:
    url = f"/admin/imports/{spoiled.public_id}/failed-rows/"
    for name in STAFF:
        walker = walker_of(name, world)
        made = walker.client.post(url)
        if name == "oli":
            answer = walker.go(Visit("admin:file", made.headers["Location"]))
            assert answer.status == OK
            assert leaks(answer.content, world.secrets) != []
        else:
            assert made.status_code in {403, 404}, name
            assert leaks(made.content, world.secrets) == [], name
