"""Identifiers that may have lost their leading zeros, looked for in every row of a check.

A program that takes a postcode for a number drops its zeros. The upload looks at the first rows
alone (`notes.short_identities`); here each row that is read passes by once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext_lazy as _

from backoffice.sheets import notes, problems
from backoffice.sheets.formats import Column, Format
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.problems import Problem, Severity, Text
from backoffice.sheets.reading.reader import RawRow

LOST_ZEROS: Final = "lost-zeros"
_LONGEST: Final = 40

problems.register(
    {
        LOST_ZEROS: Text(
            _("Most values of the column have %(usual)s digits, this one %(short)s"),
            _("Taken as it stands. Look whether leading zeros were lost."),
            Severity.WARNING,
        )
    }
)


@dataclass(slots=True)
class _Seen:
    """The values of one column of one sheet; `is_open` until one is no number."""

    column: str
    place: int
    first: dict[int, int] = field(default_factory=dict)
    """Length -> the first row that has it."""
    lengths: Counter[int] = field(default_factory=Counter)
    last: int = -1
    rises: bool = False
    falls: bool = False
    is_open: bool = True

    def take(self, row: RawRow) -> None:
        """Look at the cell of a row."""
        cell = row.cells[self.place] if self.place < len(row.cells) else None
        if cell is None:
            return
        text = str(cell)
        if not text.isdecimal() or len(text) > _LONGEST:
            self.is_open = False
            return
        size = len(text)
        if size not in self.lengths:
            self.first[size] = row.number
        self.lengths[size] += 1
        number = int(text)
        self.rises = self.rises or number > self.last >= 0
        self.falls = self.falls or number < self.last
        self.last = number

    def short(self) -> tuple[int, int, int] | None:
        """Return the usual length, that of the first shorter value, and how many are shorter.

        None for a running number: that grows longer by itself.
        """
        if not self.is_open or not (self.rises and self.falls):
            return None
        if not notes.may_have_lost_zeros(self.lengths):
            return None
        usual = self.lengths.most_common(1)[0][0]
        below = [size for size in self.lengths if size < usual]
        first = min(below, key=lambda size: self.first[size])
        return usual, first, sum(self.lengths[size] for size in below)


class Lengths:
    """Watches the identifiers of the chosen sheets."""

    def __init__(self, form: Format, maps: Mapping[str, SheetMapping]) -> None:
        wanted = [one for one in form.columns if _is_identity(one)]
        self._of = {
            name: [
                _Seen(column.key, one.columns[column.key])
                for column in wanted
                if column.key in one.columns and not one.transforms.get(column.key)
            ]
            for name, one in maps.items()
        }

    def watched(self, rows: Iterable[RawRow]) -> Iterator[RawRow]:
        """Pass the rows on."""
        for row in rows:
            for one in self._of[row.sheet]:
                if one.is_open:
                    one.take(row)
            yield row

    def problems(self) -> list[Problem]:
        """Return a warning for each column whose values may have lost zeros."""
        result = []
        for sheet, columns in self._of.items():
            for one in columns:
                found = one.short()
                if found is not None:
                    usual, short, count = found
                    params = {"usual": usual, "short": short}
                    row = one.first[short]
                    result.append(
                        Problem(LOST_ZEROS, sheet, row, one.column, "", params, count=count)
                    )
        return result


def _is_identity(column: Column) -> bool:
    return any(map(notes.is_identity, (column.key, str(column.label), *column.aliases)))
