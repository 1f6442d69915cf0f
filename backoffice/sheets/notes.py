"""What a person has to know about a file before any of it is taken, in words."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

if TYPE_CHECKING:
    from backoffice.sheets.reader import Inspection, Outline

MANY_NAMES = 8


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
