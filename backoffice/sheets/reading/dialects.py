"""How a csv file is written: guessed first, confirmed by a person, never taken silently."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from django.utils.translation import gettext_lazy as _

from backoffice.sheets.intake.charsets import ENCODINGS
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import reader
from backoffice.sheets.reading.guard import Source

PREVIEW: Final = 20
DELIMITERS: Final = {
    ",": _("Comma"),
    ";": _("Semicolon"),
    "\t": _("Tab"),
    "|": _("Vertical bar"),
}
QUOTES: Final = {'"': _("Quotation mark"), "'": _("Apostrophe"), "": _("None")}
DECIMALS: Final = {".": _("Point (12.50)"), ",": _("Comma (12,50)")}
THOUSANDS: Final = {
    "": _("None"),
    ",": _("Comma (1,250)"),
    ".": _("Point (1.250)"),
    " ": _("Space (1 250)"),
    "'": _("Apostrophe (1'250)"),
}
DATES: Final = {
    "iso": _("Year-month-day (2011-12-09)"),
    "dmy": _("Day first (09.12.2011)"),
    "mdy": _("Month first (12/09/2011)"),
    "ymd": _("Year first (2011/12/09)"),
}
_CHOICES: Final[dict[str, frozenset[str]]] = {
    "encoding": frozenset(ENCODINGS),
    "delimiter": frozenset(DELIMITERS),
    "quote": frozenset(QUOTES),
    "decimal": frozenset(DECIMALS),
    "thousands": frozenset(THOUSANDS),
    "dates": frozenset(DATES),
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How texts become letters, columns, numbers and dates.

    `dates` is the order of a date in figures; ISO 8601 is read beside any of them.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    thousands: str = ""
    dates: str = "iso"

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be chosen."""
        for key, allowed in _CHOICES.items():
            if getattr(self, key) not in allowed:
                msg = f"{key}: {getattr(self, key)!r}"
                raise ValueError(msg)
        if self.decimal == self.thousands:
            msg = "one mark cannot be both"
            raise ValueError(msg)

    def as_json(self) -> dict[str, str]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the dialect that `as_json` gave away. Raises ValueError for anything else."""
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Guess:
    """The likeliest dialect, the names of its fields that a person has to confirm, and encodings.

    `encodings` are those that can read the whole file, likeliest first.
    """

    dialect: Dialect
    unsure: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether nothing has to be asked."""
        return not self.unsure

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the guess that the child made."""
        known = [mark for mark in values["encodings"] if mark in ENCODINGS]
        dialect = dict(values["dialect"])
        if dialect["thousands"] not in THOUSANDS:
            dialect["thousands"] = " "  # the narrow and the unbreakable blank are read as blanks
        return cls(Dialect.from_json(dialect), tuple(values["unsure"]), tuple(known))


def guess(source: Source) -> Guess | None:
    """Return how the text is likely written, None for a workbook. Raises ReadError."""
    found = reader.inspect(source)
    return Guess.from_json(found.guess) if found.kind == "csv" else None


def preview(source: Source, dialect: Dialect, rows: int = PREVIEW) -> list[list[str]]:
    """Return the first filled rows as the dialect reads them. Raises ReadError."""
    _inspection, (sheet, *_more), _notes = reader.outline(source, limit=rows, dialect=dialect)
    return [["" if cell is None else str(cell) for cell in row.cells] for row in sheet.head]


def of(job: ImportJob) -> Dialect | None:
    """Return the dialect that was confirmed for a csv file; None for a workbook, or none yet."""
    return Dialect.from_json(job.dialect) if job.dialect else None
