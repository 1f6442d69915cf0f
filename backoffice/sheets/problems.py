"""What can be wrong with a row, and what to do about it, in words.

A problem is kept as a code with parameters, so that it can be shown in the reader's language and
counted. Formats add codes of their own with `register`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


class Severity(StrEnum):
    """What a problem means for its row."""

    FAILED = "failed"
    """Left out; comes back in the workbook of failed rows."""
    SKIPPED = "skipped"
    """Left out on purpose; nothing to correct."""
    WARNING = "warning"
    """Taken, in the way that the text says."""


@dataclass(frozen=True, slots=True)
class Text:
    """The words of one code; both are %-formatted with the problem's parameters."""

    wrong: str | Promise
    what_to_do: str | Promise
    severity: Severity = Severity.FAILED


@dataclass(slots=True)
class Problem:
    """One thing wrong at one place; `count` rows have it, of which `row` is the first.

    `column` is the key of the format's column. `value` went through `quote`.
    """

    code: str
    sheet: str
    row: int
    column: str = ""
    value: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    count: int = 1
    dataset: str = ""

    @property
    def severity(self) -> Severity:
        """What it means for the row."""
        return text(self.code).severity


_texts: dict[str, Text] = {}


def register(texts: Mapping[str, Text]) -> None:
    """Add codes; the same code with other words is an error."""
    for code, words in texts.items():
        if _texts.setdefault(code, words) != words:
            msg = f"the problem {code} is registered already"
            raise ValueError(msg)


def text(code: str) -> Text:
    """Return the words; an unknown code (its format may be left out) is shown as it is."""
    return _texts.get(code) or Text(code, "")


def wrong(code: str, params: Mapping[str, Any]) -> str:
    """Return the sentence that says what is wrong."""
    return str(text(code).wrong) % params


def wrong_cell(code: str, params: Mapping[str, Any]) -> str:
    """Return the sentence for a cell that was read alone: there is no message of a record."""
    return wrong(code, {"message": _("it cannot be read"), **params})


def what_to_do(code: str, params: Mapping[str, Any]) -> str:
    """Return the sentence that says what happens, or what to do."""
    return str(text(code).what_to_do) % params


register(
    {
        "error-cell": Text(
            _("The cell holds an error of the spreadsheet program"),
            _("Left out. Type the value, or mend the formula."),
        ),
        "no-stored-value": Text(
            _("The formula in the cell has no stored value"),
            _("Left out. Open the file in a spreadsheet program and save it."),
        ),
        "odd-type": Text(
            _("The cell holds a time or a duration"), _("Left out. Type a plain value.")
        ),
        "empty": Text(_("The cell is empty"), _("Left out. Fill it in.")),
        "not-whole": Text(_("Not a whole number"), _("Left out. Write a number such as 12.")),
        "not-number": Text(_("Not a number"), _("Left out. Write a number such as 12.50.")),
        "not-date": Text(
            _("No such date"), _("Left out. Write it as 2011-12-09 14:30, or as a true date.")
        ),
        "too-long": Text(_("Longer than %(limit)s characters"), _("Left out. Shorten the text.")),
        "out-of-range": Text(_("The number is too large"), _("Left out. Check the number.")),
        "invalid": Text(_("The system refuses it: %(message)s"), _("Left out. Correct it.")),
        "unknown-reference": Text(
            _("Belongs to a record that could not be imported"),
            _("Left out. Correct that record first."),
        ),
        "refused": Text(
            _("A rule of the database refuses it"), _("Left out. Check all cells of the row.")
        ),
        "too-often": Text(
            _("Too many values were refused today; none of this kind is tried any more"),
            _("Left out. Try again tomorrow."),
        ),
    }
)

# What a value may look like to be shown: a number, a code with digits in it, an error, or hardly
# anything. Words are not shown: a name is a word.
_HARMLESS: Final = re.compile(
    r"[+\-\N{MINUS SIGN}]?\d{1,7}([.,]\d{1,6})?"
    r"|[A-Za-z]{0,3}\d{1,7}[A-Za-z]{0,3}|#[A-Z0-9/!?]{1,10}|.{1,3}"
)
_DATE_LIKE: Final = re.compile(r"\d{1,4}[\-/.]\d{1,2}[\-/.]\d{1,4}([ T][\d:.]{1,12})?")
_LARGEST_SHOWN: Final = 10**8


def quote(value: object, *, dates: bool = False) -> str:
    """Return a cell's value for a page or the database, or only how long it is.

    A file may hold anything in any column, also a person's e-mail, phone or name in the column of
    amounts. With `dates`, texts that look like a date are shown too.
    """
    if value is None or value == "":
        return ""
    if isinstance(value, int | float):
        return str(value) if abs(value) < _LARGEST_SHOWN else _length(str(value))
    text = str(value).strip()
    shown = _HARMLESS.fullmatch(text) or (dates and _DATE_LIKE.fullmatch(text))
    return text if shown else _length(text)


def _length(text: str) -> str:
    return ngettext("(%s character)", "(%s characters)", len(text)) % len(text)
