"""Which column of a sheet is which column of a format: proposed by the headers, changeable."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final, Self

from backoffice.sheets import cells
from backoffice.sheets.formats import Column, Format
from backoffice.sheets.problems import quote
from backoffice.sheets.reading.guard import letters
from backoffice.sheets.reading.headers import suggest_header
from backoffice.sheets.reading.reader import Outline, RawRow
from backoffice.sheets.transforms import columns_of

HEADER_ROWS: Final = 20
"""The header is looked for in so many filled rows from the top."""
MOST_JOINED: Final = 5
"""So many rows may make one header."""
_TRIED_JOINED: Final = 3
_ALIKE: Final = 0.75
_MARKS: Final = re.compile(r"[\W_]+")
# What looks like data is no header: somebody may point at a row of people.
_DATA: Final = re.compile(r"@|\d{5,}")


@dataclass(slots=True)
class SheetMapping:
    """How one sheet is read.

    `header_row` is the number of the last row of the header and `header_rows` how many rows make
    it. `columns` is column key -> index from 0 in the sheet, `constants` column key -> the text
    that stands for an empty cell, or for a column that the sheet lacks, and `transforms` column
    key -> steps of `transforms`.
    """

    header_row: int
    columns: dict[str, int]
    header_rows: int = 1
    constants: dict[str, str] = field(default_factory=dict)
    transforms: dict[str, list[list[Any]]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the mapping that `as_json` gave away."""
        return cls(**{name: values[name] for name in cls.__slots__ if name in values})

    def missing(self, form: Format) -> list[Column]:
        """Return the columns that the format cannot do without."""
        return [
            column
            for column in form.columns
            if not column.may_be_empty
            and column.key not in self.columns
            and column.key not in self.constants
        ]

    def read(self) -> set[int]:
        """Return the indexes of the sheet's columns that are read."""
        joined = (place for steps in self.transforms.values() for place in columns_of(steps))
        return {*self.columns.values(), *joined}


def headers(row: RawRow) -> list[str]:
    """Return the texts of a header row by position; "" where there is none."""
    return [
        cells.text(cell) if isinstance(cell, str | int | float) and not cells.is_empty(cell) else ""
        for cell in row.cells
    ]


def joined(rows: Iterable[RawRow], last: int, count: int = 1) -> list[str]:
    """Return the headers that `count` rows up to the row number `last` make together.

    A merged cell holds its text at the left only: a text of an upper row goes on to the right over
    columns that have a text below, unless its own column has none (a cell merged downwards).
    """
    found = {row.number: headers(row) for row in rows if last - count < row.number <= last}
    lines = [found.get(number, []) for number in range(last - count + 1, last + 1)]
    width = max((len(line) for line in lines), default=0)
    full = [line + [""] * (width - len(line)) for line in lines]
    spread = [_spread(line, full[index + 1 :]) for index, line in enumerate(full)]
    return [" ".join(filter(None, parts)) for parts in zip(*spread, strict=True)]


def _spread(line: list[str], below: list[list[str]]) -> list[str]:
    result, held = [], ""
    for place, text in enumerate(line):
        under = any(lower[place] for lower in below)
        if text:
            held = text if under else ""
        result.append(text or (held if under else ""))
        if not under:
            held = ""
    return result


def shown(names: Sequence[str]) -> list[str]:
    """Return what people read: the letter, and the header where there is one ("C · Price")."""
    return [
        f"{letters(index)} · {name}" if name else letters(index)
        for index, name in enumerate(names, 1)
    ]


def harmless(name: str) -> str:
    """Return a header for the database; one that looks like a value is only described."""
    return quote(name) if _DATA.search(name) else name


def blank(names: Sequence[str]) -> list[int]:
    """Return the indexes of the columns without a header."""
    return [index for index, name in enumerate(names) if not plain(name)]


def repeated(names: Sequence[str]) -> list[int]:
    """Return the indexes of the columns that share their header with another."""
    often = Counter(plain(name) for name in names)
    return [index for index, name in enumerate(names) if plain(name) and often[plain(name)] > 1]


def propose(sheet: Outline, form: Format) -> SheetMapping | None:
    """Return the mapping by the rows that name most columns; None when no row names two.

    One row is preferred to several that are joined, and an upper row to a lower one.
    """
    best: SheetMapping | None = None
    for count in range(1, _TRIED_JOINED + 1):
        for row in sheet.head[:HEADER_ROWS]:
            found = match(joined(sheet.head, row.number, count), form)
            if len(found) >= 2 and (best is None or len(found) > len(best.columns)):  # noqa: PLR2004
                best = SheetMapping(row.number, found, count)
    return best


def usual_header(sheet: Outline) -> int:
    """Return the number of the row that is likely the header."""
    return suggest_header(sheet.head, sheet.columns)


def recognise(sheet: Outline, choices: Sequence[Format]) -> tuple[Format, SheetMapping] | None:
    """Return the format that knows most of the sheet's columns, with the mapping."""
    found = [(form, propose(sheet, form)) for form in choices]
    known = [(form, one) for form, one in found if one is not None]
    return max(known, key=lambda pair: _fit(*pair), default=None)


def _fit(form: Format, found: SheetMapping) -> tuple[int, bool, int]:
    """Rate a proposal: most columns first, then nothing missing, then the smaller format."""
    return len(found.columns), not found.missing(form), -len(form.columns)


def match(names: Sequence[str], form: Format) -> dict[str, int]:
    """Return column key -> index, only where exactly one header can be meant.

    Letter case, accents, blanks and marks do not count. A header that two columns know goes to the
    one that is called so, or to none.
    """
    texts = [plain(name) for name in names]
    often = Counter(texts)
    result: dict[str, int] = {}
    for column in form.columns:
        wanted = _wanted(column)
        places = [index for index, name in enumerate(texts) if name in wanted and often[name] == 1]
        if len(places) == 1:
            result[column.key] = places[0]
    return _single(result, texts, form)


def _single(found: dict[str, int], texts: list[str], form: Format) -> dict[str, int]:
    taken = Counter(found.values())
    called = {
        (column.key, place)
        for column in form.columns
        if (place := found.get(column.key)) is not None and plain(str(column.label)) == texts[place]
    }
    often = Counter(place for _key, place in called)
    return {
        key: place
        for key, place in found.items()
        if taken[place] == 1 or ((key, place) in called and often[place] == 1)
    }


def guesses(names: Sequence[str], form: Format, columns: dict[str, int]) -> dict[str, int]:
    """Return column key -> the index of a header that looks alike, for people to confirm.

    Only for columns and headers that are not taken; blank and repeated headers are never guessed.
    """
    out = {*columns.values(), *blank(names), *repeated(names)}
    texts = {index: plain(name) for index, name in enumerate(names) if index not in out}
    result: dict[str, int] = {}
    for column in form.columns:
        wanted = _wanted(column)
        rated = [(_likeness(text, wanted), -index) for index, text in texts.items()]
        if column.key not in columns and rated and max(rated)[0] >= _ALIKE:
            result[column.key] = -max(rated)[1]
    return result


def _likeness(text: str, wanted: Iterable[str]) -> float:
    rated = (SequenceMatcher(None, text, other).ratio() for other in wanted)
    return max(rated, default=0.0)


def _wanted(column: Column) -> set[str]:
    names = (str(column.label), *column.aliases)
    return {plain(name) for name in names} - {""}


def plain(name: str) -> str:
    """Return a header without letter case, accents, blanks and marks."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    return _MARKS.sub("", "".join(sign for sign in folded if not unicodedata.combining(sign)))
