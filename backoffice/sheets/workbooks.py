"""The workbook of failed rows: the rows as they were, a comment in each bad cell.

It has the sheets and columns of the uploaded file, so it imports as it is once the cells are
corrected. Rows that were taken already stand in it where a corrected row can only be read right
beside them (`Format.companions`); they come out as unchanged.
"""

from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill

from backoffice.sheets import exports, formats, reader
from backoffice.sheets.formats import Format
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob, ImportProblem
from backoffice.sheets.problems import Severity
from backoffice.sheets.reader import CellError, RawRow
from backoffice.sheets.runs import sheet_rows

BAD: Final = PatternFill("solid", fgColor="FCE8E6")
QUIET: Final = Font(color="5F6D77", italic=True)
DATE_FORMAT: Final = "yyyy-mm-dd hh:mm"
_COMMENT_SIZE: Final = (120, 320)
Place = tuple[str, int]


def failed_rows(job: ImportJob) -> bytes:
    """Return the workbook; ReadError when the file is not kept any more."""
    form = formats.get(job.format)
    problems: dict[Place, list[ImportProblem]] = defaultdict(list)
    for one in job.problems.filter(severity=Severity.FAILED):
        problems[one.sheet, one.row].append(one)
    beside = form.companions(sheet_rows(job, form), set(problems))
    book = Workbook(write_only=True)
    _Sheets(book, job, form, problems).fill(_wanted(job, {*problems, *beside}))
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _wanted(job: ImportJob, places: set[Place]) -> Iterator[RawRow]:
    """Yield the header rows and the wanted rows, in the order of the file."""
    headers = {name: job.mapping[name]["header_row"] for name in job.chosen}
    sheets = {sheet for sheet, _row in places}
    for row in reader.rows(job, sheets=job.chosen):
        if row.sheet in sheets and (
            (row.sheet, row.number) in places or row.number == headers[row.sheet]
        ):
            yield row


class _Sheets:
    """Fills the book's sheets row by row."""

    def __init__(
        self,
        book: Workbook,
        job: ImportJob,
        form: Format,
        problems: dict[Place, list[ImportProblem]],
    ) -> None:
        self.book = book
        self.form = form
        self.problems = problems
        self.maps = {name: SheetMapping.from_json(job.mapping[name]) for name in job.chosen}
        self.sheets: dict[str, Any] = {}

    def fill(self, rows: Iterator[RawRow]) -> None:
        """Write header and rows of each sheet."""
        for row in rows:
            sheet = self.sheets.get(row.sheet) or self._sheet(row.sheet)
            sheet.append(self._cells(sheet, row))

    def _sheet(self, name: str) -> Any:
        sheet = self.book.create_sheet(name or "Sheet1")
        sheet.freeze_panes = "A2"
        self.sheets[name] = sheet
        return sheet

    def _cells(self, sheet: Any, row: RawRow) -> list[Any]:
        places = self.maps[row.sheet].columns
        width = max(len(row.cells), *(place + 1 for place in places.values()))
        made = [self._cell(sheet, row, index) for index in range(width)]
        if row.number == self.maps[row.sheet].header_row:
            return made
        wrong = self.problems.get((row.sheet, row.number), [])
        for one in wrong:
            cell = made[places.get(one.column, min(places.values()))]
            cell.fill = BAD
            cell.comment = _comment(one.wrong, one.what_to_do, cell.comment)
        if not wrong:
            for cell in made:
                cell.font = QUIET
            made[0].comment = _comment(
                _("Imported already"), _("It stands here to be counted."), None
            )
        return made

    @staticmethod
    def _cell(sheet: Any, row: RawRow, index: int) -> Any:
        value = row.cells[index] if index < len(row.cells) else None
        made = exports.cell(sheet, None if isinstance(value, CellError) else value)
        if made.is_date:
            made.number_format = DATE_FORMAT
        return made


def _comment(wrong: str, what_to_do: str, present: Comment | None) -> Comment:
    text = f"{wrong}. {what_to_do}" if what_to_do else wrong
    if present is not None:
        text = f"{present.text}\n{text}"
    return Comment(text, "backoffice", *_COMMENT_SIZE)
