"""Made workbooks in the layout of Online Retail, small enough for a journey."""

from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook

HEAD = (
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
)
COUNTRIES = ("France", "Norway", "Iceland", "Japan")
QUANTITY, DATE = HEAD.index("Quantity"), HEAD.index("InvoiceDate")


def line(number: int) -> list[Any]:
    """Return one line: every invoice has four, months run through 2010 and 2011."""
    invoice = number // 4
    placed = datetime(2010 + invoice % 2, 1 + invoice % 12, 1 + invoice % 28, 10, 30)  # noqa: DTZ001 - a sheet has no zones
    country = COUNTRIES[invoice % len(COUNTRIES)]
    code = f"{22000 + number % 17}"
    return [
        f"{600000 + invoice}",
        code,
        f"ENAMEL CUP {number % 17}",
        1 + number % 5,
        placed,
        1.25 + number % 3,
        13000.0 + invoice % 9,
        country,
    ]


def write(path: Path, rows: list[list[Any]], title: str = "Orders") -> Path:
    """Write the rows below the head; return the path."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.append(list(HEAD))
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def with_mistakes(path: Path, count: int) -> Path:
    """Write `count` lines, two of which cannot be read: no number of pieces, no date."""
    rows = [line(number) for number in range(count)]
    rows[5][QUANTITY] = "three"
    rows[9][DATE] = "some day"
    return write(path, rows)


def corrected(path: Path) -> tuple[Path, int]:
    """Correct the workbook of failed rows like a person would: in the cells with a red ground.

    Return the corrected file and how many cells had a comment that says what is wrong.
    """
    book = load_workbook(path)
    said = 0
    for row in book.worksheets[0].iter_rows(min_row=2):
        for place, good in ((QUANTITY, 3), (DATE, datetime(2011, 5, 5, 10, 30))):  # noqa: DTZ001
            if row[place].comment and row[place].fill.fgColor.rgb.endswith("FCE8E6"):
                row[place].value = good
                said += 1
    target = path.with_name("corrected.xlsx")
    book.save(target)
    return target, said


def shops(path: Path) -> Path:
    """Write an awkward list of shops: below a title, one changed, two new, one wrong, one as is."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Shops"
    for row in (
        ["Our shops in spring"],
        [],
        ["Shop ID", "Shop name", "State"],
        ["cups", "Cups and Saucers", "active"],
        ["pots", "Pots", "active"],
        ["plates", "Plates", "active"],
        ["bowls", "Bowls", "active"],
        ["jugs", "Jugs", "nonsense"],
    ):
        sheet.append(row)
    book.save(path)
    return path


def mended(path: Path, good: str) -> Path:
    """Write `good` into each cell that has a comment; return the corrected file."""
    book = load_workbook(path)
    for row in book.worksheets[0].iter_rows(min_row=2):
        for cell in row:
            if cell.comment:
                cell.value, cell.comment = good, None
    target = path.with_name(f"mended-{path.name}")
    book.save(target)
    return target
