"""Made files for tests of sheets, and an import from one end to the other in this process."""

import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

from backoffice.accounts.models import User
from backoffice.jobs.run import execute
from backoffice.sheets import services
from backoffice.sheets.models import ImportJob

HEAD = (
    "Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID",
    "Country",
)  # fmt: skip
AT = datetime(2011, 7, 1, 12, 0)  # noqa: DTZ001 - a sheet has no zones
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "online_retail_II.xlsx"

Rows = Sequence[Sequence[Any]]


def line(
    invoice: object = 600001,
    code: object = 10001,
    quantity: object = 1,
    price: object = 2.5,
    *,
    description: object = "ENAMEL CUP",
    at: object = AT,
    customer: object = 12346,
    country: object = "France",
) -> list[Any]:
    """Return one row of an Online Retail sheet."""
    return [invoice, code, description, quantity, at, price, customer, country]


def book(*sheets: Rows, head: Sequence[str] = HEAD) -> bytes:
    """Return a workbook with the head and rows of each sheet; their names are letters."""
    made = Workbook(write_only=True)
    for index, rows in enumerate(sheets):
        sheet = made.create_sheet("ABCDEF"[index])
        sheet.append(list(head))
        for row in rows:
            sheet.append(list(row))
    file = BytesIO()
    made.save(file)
    return file.getvalue()


def archive(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of members by name."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return file.getvalue()


def upload(content: bytes, actor: User, name: str = "orders.xlsx") -> ImportJob:
    """Return the import of an uploaded file."""
    return services.take(SimpleUploadedFile(name, content), actor)


def check(job: ImportJob) -> ImportJob:
    """Run the check of an import here and return it."""
    execute(services.check(job, actor=job.owner).pk)
    job.refresh_from_db()
    return job


def run(job: ImportJob) -> ImportJob:
    """Run a checked import here and return it."""
    execute(services.start(job, actor=job.owner).pk)
    job.refresh_from_db()
    return job


def bring_in(content: bytes, actor: User, *sheets: str) -> ImportJob:
    """Upload, check and import a file (all recognised sheets if none is named)."""
    job = upload(content, actor)
    if sheets:
        services.choose(job, sheets, actor=actor)
    check(job)
    assert job.state == ImportJob.State.CHECKED, job.message
    return run(job)


def said(job: ImportJob) -> list[tuple[str, str, int, str]]:
    """Return (code, sheet, row, column) of the problems in their order."""
    return list(job.problems.values_list("code", "sheet", "row", "column"))
