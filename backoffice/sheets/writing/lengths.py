"""Identifiers that may have lost their leading zeros, looked for in every row of a check.

A program that takes a postcode for a number drops its zeros. The upload looks at the first rows
alone (`notes.short_identities`); here each row that is read passes by once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched, groupby
from operator import gt, lt
from typing import Final

from django.utils.translation import gettext_lazy as _

from backoffice.sheets import notes, problems
from backoffice.sheets.formats import Column, Format
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.problems import Problem, Severity, Text
from backoffice.sheets.reading.reader import Batch, RawRow, Value

LOST_ZEROS: Final = "lost-zeros"
_LONGEST: Final = 40
_TOGETHER: Final = 1000

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
    last: list[int] = field(default_factory=list)
    """The last value, if there was one."""
    rises: bool = False
    falls: bool = False
    is_open: bool = True

    def take(self, rows: Sequence[int], cells: Sequence[Value]) -> None:
        """Look at cells of the column, and the numbers of their rows."""
        filled = [
            (row, str(cell)) for row, cell in zip(rows, cells, strict=True) if cell is not None
        ]
        texts = [text for _row, text in filled]
        if not texts:
            return
        lengths = Counter(map(len, texts))
        if not all(map(str.isdecimal, texts)) or max(lengths) > _LONGEST:
            self.is_open = False
            return
        for size in lengths.keys() - self.lengths.keys():
            self.first[size] = next(row for row, text in filled if len(text) == size)
        self.lengths += lengths
        values = [*self.last, *map(int, texts)]
        self.rises = self.rises or any(map(lt, values, values[1:]))
        self.falls = self.falls or any(map(gt, values, values[1:]))
        self.last = values[-1:]

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
        for sheet, mine in groupby(rows, key=lambda row: row.sheet):
            for some in batched(mine, _TOGETHER):
                for one in self._open(sheet):
                    place = one.place
                    cells = [row.cells[place] if place < len(row.cells) else None for row in some]
                    one.take([row.number for row in some], cells)
                yield from some

    def watched_batches(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Pass rows on that come as columns."""
        for batch in batches:
            for one in self._open(batch.sheet):
                if one.place < len(batch.columns):
                    one.take(batch.numbers, batch.columns[one.place])
            yield batch

    def _open(self, sheet: str) -> list[_Seen]:
        return [one for one in self._of[sheet] if one.is_open]

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
