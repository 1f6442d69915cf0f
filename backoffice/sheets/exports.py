"""Files of rows for people's spreadsheet programs: csv as a stream, and xlsx.

Both take a name without ending, heads and rows, and return the answer of a view. Values of masked
fields are masks by nature. Who exports is recorded by the caller.

A text that begins with = + - @ or a control character would run as a formula when the file is
opened. In csv such a text gets an apostrophe in front, which spreadsheet programs take as "this is
text"; a reader of the file by machine has to drop it. In xlsx the cell is stored as text and marked
so, and the text is unchanged. Numbers stay numbers.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from django.http import FileResponse, StreamingHttpResponse
from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_IN_MEMORY: Final = 2 * 1024 * 1024
# Characters that XML cannot hold.
_ILLEGAL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

Row = Sequence[Any]


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        """Return the text."""
        return text


def safe_text(value: str) -> str:
    """Return the text so that no spreadsheet program takes it for a formula."""
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value


def stream_csv(name: str, heads: Sequence[str], rows: Iterable[Row]) -> StreamingHttpResponse:
    """Return the rows as UTF-8 csv with a byte order mark, sent while they are read."""
    return StreamingHttpResponse(
        csv_lines(heads, rows),
        content_type="text/csv; charset=utf-8",
        headers=_headers(f"{name}.csv"),
    )


def csv_lines(heads: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of the csv file."""
    writer = csv.writer(_Echo())
    yield "\N{ZERO WIDTH NO-BREAK SPACE}"
    yield writer.writerow([safe_text(head) for head in heads])
    for row in rows:
        yield writer.writerow([_plain(value) for value in row])


def _plain(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, int | float | Decimal | date):
        return value
    return safe_text(str(value))


def write_xlsx(name: str, heads: Sequence[str], rows: Iterable[Row]) -> FileResponse:
    """Return the rows as a workbook of one sheet."""
    file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the answer closes it
    book = Workbook(write_only=True)
    sheet = book.create_sheet(name[:31])
    sheet.freeze_panes = "A2"
    bold = Font(bold=True)
    sheet.append([_head(sheet, head, bold) for head in heads])
    for row in rows:
        sheet.append([cell(sheet, value) for value in row])
    book.save(file)
    file.seek(0)
    return FileResponse(
        file, filename=f"{name}.xlsx", as_attachment=True, content_type=XLSX_TYPE,
        headers=_headers(None),
    )  # fmt: skip


def _head(sheet: Any, text: str, font: Font) -> Any:
    made = cell(sheet, text)
    made.font = font
    return made


def cell(sheet: Any, value: object) -> Any:
    """Return a cell for a write-only sheet; text never becomes a formula or an error."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = timezone.make_naive(value)
    if value is None or isinstance(value, bool | int | float | Decimal | date):
        return WriteOnlyCell(sheet, value=value)  # type: ignore[arg-type]
    text = _ILLEGAL.sub("", str(value))
    made = WriteOnlyCell(sheet, value=None)
    made.value = text
    made.data_type = "s"
    made.quotePrefix = text.startswith(FORMULA_STARTS)
    return made


def _headers(name: str | None) -> dict[str, str]:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return headers
