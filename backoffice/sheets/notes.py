"""What a person has to know about a file before any of it is taken, in words."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice.sheets.reading.guard import letters
from backoffice.sheets.reading.headers import suggest_header

if TYPE_CHECKING:
    from backoffice.sheets.reading.reader import Inspection, Outline

MANY_NAMES: Final = 8
_IDENTITY: Final = re.compile(
    r"zip|post|plz|code|\bids?\b|_id\b|number|\bn[ro]\b|phone|tel|ean|iban|sku|번호|코드",
    re.IGNORECASE,
)
_SHORTEST: Final = 4
_LONGEST_NAME: Final = 40


def remarks(inspection: "Inspection", sheets: Sequence["Outline"]) -> list[str]:
    """Return the sentences: macros, hidden sheets and rows, error cells, blanks."""
    result = []
    if inspection.macros:
        result.append(_("The workbook holds macros. They are never run."))
    result.extend(_hidden(sheets))
    for sheet in sheets:
        result.extend(_of_sheet(sheet))
    if inspection.kind == "csv" and inspection.guess.get("unsure"):
        result.append(_("How the text is written had to be guessed. Look at it before going on."))
    return result


def _hidden(sheets: Sequence["Outline"]) -> Iterator[str]:
    names = [sheet.name for sheet in sheets if sheet.hidden]
    if names:
        more = len(names) - MANY_NAMES
        shown = ", ".join(names[:MANY_NAMES]) + (f" (+{more})" if more > 0 else "")
        yield _("Hidden sheets, which are left out unless you choose them: %s.") % shown


def _of_sheet(sheet: "Outline") -> Iterator[str]:
    if sheet.hidden_rows:
        yield _named(sheet, _hidden_rows(sheet))
    if sheet.errors:
        text = ngettext(
            "%s cell holds an error or a formula without a value; its row is not taken.",
            "%s cells hold an error or a formula without a value; their rows are not taken.",
            sheet.errors,
        )
        yield _named(sheet, text % f"{sheet.errors:,}")
    if sheet.blank:
        text = ngettext("%s blank row is skipped.", "%s blank rows are skipped.", sheet.blank)
        yield _named(sheet, text % f"{sheet.blank:,}")
    for letter, name, usual, short in short_identities(sheet):
        text = _(
            "Column %(letter)s (%(name)s): most values have %(usual)s digits, some %(short)s. "
            "Leading zeros may have been lost."
        )
        yield _named(sheet, text % {"letter": letter, "name": name, "usual": usual, "short": short})
    if sheet.spaces:
        yield _named(sheet, _("Cells that hold white space only are read as empty."))


def _hidden_rows(sheet: "Outline") -> str:
    if sheet.filtered:
        text = ngettext(
            "%s row is hidden by a filter; it is imported too.",
            "%s rows are hidden by a filter; they are imported too.",
            sheet.hidden_rows,
        )
    else:
        text = ngettext(
            "%s row is hidden; it is imported too.",
            "%s rows are hidden; they are imported too.",
            sheet.hidden_rows,
        )
    return text % f"{sheet.hidden_rows:,}"


def _named(sheet: "Outline", text: str) -> str:
    return f"{sheet.name}: {text}" if sheet.name else text


def short_identities(sheet: "Outline") -> Iterator[tuple[str, str, int, int]]:
    """Yield (letter, header, usual length, shorter length) of columns that may have lost zeros.

    A program that takes a postcode for a number drops its zeros; the first rows may show
    it; the check looks at all of them (`writing.lengths`).
    """
    above = [row for row in sheet.head if row.number <= suggest_header(sheet.head, sheet.columns)]
    names = above[-1].cells if above else ()
    for place, name in enumerate(names):
        if not isinstance(name, str) or not is_identity(name):
            continue
        cells = [row.cells[place] for row in sheet.head[len(above) :] if place < len(row.cells)]
        lengths = Counter(len(str(cell)) for cell in cells if cell is not None)
        if not lengths or not all(str(cell).isdecimal() for cell in cells if cell is not None):
            continue
        if may_have_lost_zeros(lengths):
            usual = lengths.most_common(1)[0][0]
            yield letters(place + 1), name.strip()[:_LONGEST_NAME], usual, min(lengths)


def is_identity(name: str) -> bool:
    """Whether a header speaks of postcodes, numbers of records, phones and the like."""
    return _IDENTITY.search(name) is not None


def may_have_lost_zeros(lengths: Counter[int]) -> bool:
    """Whether of so many values of each length most have the largest, and some are shorter."""
    usual = lengths.most_common(1)[0][0]
    return usual > _SHORTEST and max(lengths) == usual and len(lengths) > 1
