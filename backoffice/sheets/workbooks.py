"""The workbook of failed rows: the rows as they were, a comment in each bad cell.

It has the sheets and columns of the uploaded file, so it imports as it is once the cells are
corrected. Rows that were taken already stand in it where a corrected row can only be read right
beside them (`Format.companions`); they come out as unchanged.

A comment costs five kilobytes of memory until the book is saved: after the first ones the words
stand in a column of their own, at the right of the others.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from backoffice.sheets import formats
from backoffice.sheets.exporting import exports
from backoffice.sheets.formats import Format
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob
from backoffice.sheets.problems import Severity, what_to_do
from backoffice.sheets.problems import wrong as wrong_of
from backoffice.sheets.reading import dialects, reader, spoken
from backoffice.sheets.reading.reader import CellError, RawRow
from backoffice.sheets.runs import sheet_rows

BAD: Final = PatternFill("solid", fgColor="FCE8E6")
HEAD: Final = Font(bold=True)
QUIET: Final = Font(color="5F6D77", italic=True)
DATE_FORMAT: Final = "yyyy-mm-dd hh:mm"
_COMMENT_SIZE: Final = (120, 320)
_NOT_IN_NAMES: Final = re.compile(r"[\[\]:*?/\\]")
_LONGEST: Final = 31
"""Characters of a sheet's name."""
_NARROW: Final = 10
_WIDE: Final = 48
COMMENTS: Final = 2_000
"""Rows whose problems stand in comments."""
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A problem of a failed row, in words: thousands of these are held."""

    column: str
    code: str
    params: dict[str, Any]

    @property
    def words(self) -> str:
        """Say what is wrong, and what to do."""
        wrong, to_do = wrong_of(self.code, self.params), what_to_do(self.code, self.params)
        return f"{wrong}. {to_do}" if to_do else wrong


def failed_rows(job: ImportJob) -> bytes:
    """Return the workbook; ReadError when the file is not kept any more."""
    form = formats.get(job.format)
    problems = _problems(job)
    beside = _companions(job, form, set(problems))
    book = Workbook(write_only=True)
    _Sheets(book, job, form, problems).fill(_wanted(job, {*problems, *beside}))
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _problems(job: ImportJob) -> dict[Place, list[Wrong]]:
    problems: dict[Place, list[Wrong]] = defaultdict(list)
    found = job.problems.filter(severity=Severity.FAILED).order_by("pk")
    names = ("sheet", "row", "column", "code", "params")
    for sheet, row, column, code, params in found.values_list(*names).iterator():
        known = problems[sheet, row]
        # The run may have met again what the check found.
        if not any((one.column, one.code) == (column, code) for one in known):
            known.append(Wrong(column, code, params))
    return problems


def _companions(job: ImportJob, form: Format, failed: set[Place]) -> set[Place]:
    """Return the rows that the failed ones need; the file is not read where no format asks."""
    if type(form).companions is Format.companions:
        return set()
    return form.companions(sheet_rows(job, form), failed)


def _wanted(job: ImportJob, places: set[Place]) -> Iterator[RawRow]:
    """Yield the rows of the headers and the wanted rows, in the order of the file."""
    maps = {name: SheetMapping.from_json(job.mapping[name]) for name in job.chosen}
    sheets = {sheet for sheet, _row in places}
    for row in reader.rows(job, sheets=job.chosen):
        if row.sheet in sheets and (
            (row.sheet, row.number) in places or _is_header(maps[row.sheet], row)
        ):
            yield row


def _is_header(one: SheetMapping, row: RawRow) -> bool:
    return one.header_row - one.header_rows < row.number <= one.header_row


class _Sheets:
    """Fills the book's sheets row by row."""

    def __init__(
        self,
        book: Workbook,
        job: ImportJob,
        form: Format,
        problems: dict[Place, list[Wrong]],
    ) -> None:
        self.book = book
        self.problems = problems
        self.commented = 0
        self.widths = {one["name"]: len(one.get("headers", ())) for one in job.sheets}
        self.maps = {name: SheetMapping.from_json(job.mapping[name]) for name in job.chosen}
        spoken_by = dialects.of(job)
        self.plain = {name: _plain(form, one, spoken_by) for name, one in self.maps.items()}
        self.sheets: dict[str, Any] = {}

    def fill(self, rows: Iterator[RawRow]) -> None:
        """Write header and rows of each sheet."""
        for row in rows:
            sheet = self.sheets.get(row.sheet) or self._sheet(row)
            sheet.append(self._cells(sheet, row))

    def _sheet(self, first: RawRow) -> Any:
        """Return a new sheet; its columns are as wide as their headers."""
        sheet = self.book.create_sheet(_NOT_IN_NAMES.sub("_", first.sheet)[:_LONGEST] or "Sheet1")
        sheet.freeze_panes = f"A{self.maps[first.sheet].header_rows + 1}"
        for number, head in enumerate(first.cells, 1):
            width = min(max(len(str(head or "")) + 3, _NARROW), _WIDE)
            sheet.column_dimensions[get_column_letter(number)].width = width
        self.sheets[first.sheet] = sheet
        return sheet

    def _cells(self, sheet: Any, row: RawRow) -> list[Any]:
        one = self.maps[row.sheet]
        places = one.columns
        width = max(len(row.cells), *(place + 1 for place in places.values()), 1)
        if _is_header(one, row):
            return self._headers(sheet, row, width)
        made = [self._cell(sheet, row, index) for index in range(width)]
        wrong = self.problems.get((row.sheet, row.number), [])
        first = min(places.values(), default=0)
        for problem in wrong:
            made[places.get(problem.column, first)].fill = BAD
        if not wrong:
            for cell in made:
                cell.font = QUIET
        if self.commented < COMMENTS:
            self.commented += 1
            self._comment(made, wrong, places, first)
            return made
        words = "\n".join(one.words for one in wrong) or _already()
        return [*made, *self._gap(sheet, row.sheet, width), exports.cell(sheet, words)]

    @staticmethod
    def _comment(made: list[Any], wrong: list[Wrong], places: dict[str, int], first: int) -> None:
        for problem in wrong:
            cell = made[places.get(problem.column, first)]
            cell.comment = _comment(problem.words, cell.comment)
        if not wrong:
            made[0].comment = _comment(_already(), None)

    def _headers(self, sheet: Any, row: RawRow, width: int) -> list[Any]:
        made = [_header(sheet, row, index) for index in range(width)]
        last = row.number == self.maps[row.sheet].header_row
        if len(self.problems) <= COMMENTS or not last:
            return made
        said = exports.cell(sheet, _("What is wrong"))
        said.font = HEAD
        return [*made, *self._gap(sheet, row.sheet, width), said]

    def _gap(self, sheet: Any, name: str, width: int) -> list[Any]:
        """Return empty cells up to the column of the words, right of all that the sheet has."""
        return [exports.cell(sheet, None) for _place in range(width, self.widths.get(name, 0))]

    def _cell(self, sheet: Any, row: RawRow, index: int) -> Any:
        value = row.cells[index] if index < len(row.cells) else None
        say = self.plain[row.sheet].get(index)
        said = value if say is None else say(value)
        # What the dialect cannot read stays as it was written.
        kept = value if isinstance(said, CellError) else said
        made = exports.cell(sheet, None if isinstance(kept, CellError) else kept)
        if made.is_date:
            made.number_format = DATE_FORMAT
        return made


def _plain(
    form: Format, one: SheetMapping, dialect: dialects.Dialect | None
) -> dict[int, spoken.Say]:
    """Return column of the sheet -> what puts texts of a csv file into the plain way.

    A workbook has no dialect. A column that is changed first stays as it is written.
    """
    found = {
        one.columns[column.key]: spoken.saying(column.read, dialect)
        for column in form.columns
        if column.key in one.columns and not one.transforms.get(column.key)
    }
    return {place: say for place, say in found.items() if say is not None}


def _header(sheet: Any, row: RawRow, index: int) -> Any:
    value = row.cells[index] if index < len(row.cells) else None
    made = exports.cell(sheet, None if isinstance(value, CellError) else value)
    made.font = HEAD
    return made


def _already() -> str:
    return f"{_('Imported already')}. {_('It stands here to be counted.')}"


def _comment(text: str, present: Comment | None) -> Comment:
    if present is not None:
        text = f"{present.text}\n{text}"
    return Comment(text, "backoffice", *_COMMENT_SIZE)
