"""What comes in and goes out of our pages as a file, channel by channel."""

import csv
import io
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings as project
from django.urls import reverse
from openpyxl import load_workbook

from backoffice.sheets.services import StateError
from backoffice.site import staff_site, writers
from customers.models import Customer
from tests.canaries import leaks
from tests.leaks.channels import Channels
from tests.leaks.stage import (
    BAD_REQUEST,
    EMAIL,
    FORBIDDEN,
    NAME,
    NOT_FOUND,
    OK,
    PHONE,
    Stage,
)
from tests.sheets.made import HEAD, book, check, line, run, upload
from tests.walker.registry import IMPORT_PAGES

LIST = "/admin/customers/customer/"
channels = Channels()


@pytest.mark.parametrize("name", channels)
def test_channel(name: str, stage: Stage) -> None:
    channels[name](stage)


def imported(stage: Stage, *rows: list[Any], head: tuple[str, ...] = HEAD) -> Any:
    """Upload and check a file of oli's; see that no page of the import tells a thing."""
    job = upload(book(list(rows), head=head), stage.world.people["oli"])
    # What nobody has said all of is not checked; its pages are looked at all the same.
    with suppress(StateError):
        check(job)
    _no_page_tells(stage, job)
    return job


def _no_page_tells(stage: Stage, job: Any) -> None:
    for name in IMPORT_PAGES:
        url = _import_url(name, job)
        for person in (stage.world.people["oli"], stage.root):
            stage.ask(url, person)


def _import_url(name: str, job: Any) -> str:
    more = {"import_rows": ["orders"]}.get(name, [])
    return reverse(f"admin:{name}", args=[job.public_id, *more])


@channels(
    "import preview: file has only some columns",
    "import preview, file with only an id column",
    "import preview diff old to new",
)
def _preview(stage: Stage) -> None:
    """See that a file that names a known customer brings nothing of him to a page."""
    imported(stage, line(customer=stage.customer.number))
    imported(stage, [stage.customer.number], head=("Customer ID",))


@channels(
    "import error row (unique violation)",
    "import unique violation as existence oracle",
    "PostgreSQL unique violation in an import row",
    "import validation error",
)
def _failed_rows(stage: Stage) -> None:
    """See that a row that the database or a rule refuses is told by place and code alone."""
    order = stage.world.of_sol["order"]
    same = {"invoice": str(order), "customer": stage.twins[0].number}
    rows = [
        [*line(**same), NAME],
        [*line(600002, quantity=EMAIL), EMAIL],
        [*line(600003, price=PHONE, customer=f"{EMAIL}"), PHONE],
    ]
    # Under another header a name is shown, to whom the file belongs alone, while columns are said.
    job = imported(stage, *rows, head=(*HEAD, "Contact"))
    if job.state == job.State.CHECKED:
        run(job)
        _no_page_tells(stage, job)
    assert leaks(str(list(job.problems.values())), stage.world.secrets) == []


@channels("import and export by staff with no model permission")
def _closed_by_default(stage: Stage) -> None:
    gus, before = stage.world.people["gus"], stage.raw()
    for model in staff_site._registry:
        url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for way in ("export/", "import/", "process_import/"):
            answer = stage.send(f"{url}{way}", {"format": "csv"}, gus)
            assert answer.status in {FORBIDDEN, NOT_FOUND}, f"{url}{way}"
    assert stage.send("/admin/imports/", {"file": io.BytesIO(b"a,b")}, gus).status == FORBIDDEN
    assert stage.raw() == before


@channels("unconfirmed import upload")
def _upload_that_nobody_confirmed(stage: Stage) -> None:
    """See that an upload lies where no address leads, and that its row tells nothing of it."""
    job = imported(stage, [*line(), EMAIL], head=(*HEAD, "Note"))
    kept = [value for value in vars(job).values() if isinstance(value, str)]
    assert leaks(" ".join(kept), stage.world.secrets) == []
    assert stage.ask("/media/").status == NOT_FOUND
    assert project.MEDIA_URL in {"", "/"}


def exported(stage: Stage, kind: str, url: str = LIST) -> Any:
    """Return the answer to an export of a list; what it holds is opened and read."""
    answer = stage.send(f"{url}export/", {"format": kind, "reason": "asked"})
    assert answer.status == OK
    return answer


@channels("export page (GET)")
def _export_by_get(stage: Stage) -> None:
    assert stage.ask(f"{LIST}export/?format=csv").status == 405


@channels("export csv")
def _export_csv(stage: Stage) -> None:
    rows = list(csv.reader(io.StringIO(exported(stage, "csv").text)))
    masked = str(stage.customer.phone)
    assert [row for row in rows if masked in row and stage.customer.number in row] != []


@channels("export xlsx")
def _export_xlsx(stage: Stage) -> None:
    sheet = load_workbook(io.BytesIO(exported(stage, "xlsx").content)).worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    stage.tells_nothing(str(rows))
    assert str(stage.customer.email) in str(rows)


@channels("export json", "export html")
def _other_kinds(stage: Stage) -> None:
    """See that what else is on offer holds masks, and what is not offered is refused."""
    for kind in ("json", "html", "yaml", "ods", "tsv"):
        answer = stage.send(f"{LIST}export/", {"format": kind, "reason": "asked"})
        assert answer.status == (OK if kind in writers.kinds() else BAD_REQUEST), kind


@channels("export action on selection")
def _export_action(stage: Stage) -> None:
    key = str(stage.customer.pk)
    for action in ("export_admin_action", "export"):
        answer = stage.send(LIST, {"action": action, "_selected_action": key, "format": "0"})
        assert "attachment" not in answer.headers.get("Content-Disposition", "")


@channels("formula injection on export")
def _formula(stage: Stage) -> None:
    cells = ["=HYPERLINK(0)", "+1+1", "-1+1", "@SUM(1)", "\t=1"]
    for number, text in enumerate(cells):
        Customer.objects.create(number=f"95{number}", country=text)
    rows = list(csv.reader(io.StringIO(exported(stage, "csv").text)))
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))] == []
    sheet = load_workbook(io.BytesIO(exported(stage, "xlsx").content)).worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {
        "s",
        "inlineStr",
        "n",
        "d",
    }


@channels("Cache-Control on export download")
def _head_of_a_file(stage: Stage) -> None:
    for kind in ("csv", "xlsx"):
        assert "no-store" in exported(stage, kind).headers["Cache-Control"]
