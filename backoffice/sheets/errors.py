"""The one error of reading a file, and the words for what the child refuses."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ReadError(Exception):
    """A file that cannot be read; `str()` of it is a sentence for the person who uploaded it."""


_WORDS: Final[dict[str, str | Promise]] = {
    "nothing": _("The file is empty."),
    "bytes": _("The file is larger than %(limit)s MB. Split it and import the parts."),
    "unpack": _("The file is damaged: it cannot be unpacked. Save it again and retry."),
    "password": _("The workbook is protected by a password. Save it without one."),
    "no-workbook": _("This is not a spreadsheet: the file holds no workbook."),
    "members": _("The workbook has too many parts."),
    "twice": _("The workbook is damaged: it holds a part twice."),
    "outside": _("The workbook is not safe to open: a part points outside of it."),
    "inflated": _("The workbook is too large when unpacked."),
    "ratio": _("The workbook is not safe to open: it unpacks to far more than it holds."),
    "entities": _("The workbook is not safe to open: it declares entities."),
    "long-text": _("The workbook is not safe to open: a cell holds more text than any cell can."),
    "bad-row": _("The file is damaged: a row has no proper number."),
    "bad-repeat": _("The file is damaged: a cell is repeated improperly often."),
    "bad-address": _("The file is damaged: a cell has no proper address."),
    "extent": _(
        "A sheet is too large: at most %(rows)s rows, %(columns)s columns, %(cells)s cells."
    ),
    "not-text": _("This is neither a workbook nor readable text. Save it as .xlsx or CSV UTF-8."),
    "encoding": _("The text is not in the encoding %(encoding)s. Choose another one."),
    "quote": _("A quotation mark is opened in the text and not closed. Choose other marks."),
    "slow": _("The file takes too long or too much memory to read. Split it and retry."),
}
_DAMAGED: Final = _("The file is damaged and cannot be read. Open it, save it again and retry.")


def refusal(code: str, params: Mapping[str, Any] | None = None) -> ReadError:
    """Return the error in words; what has no words of its own is a damaged file."""
    shown = {
        key: f"{value:,}" if isinstance(value, int) else value
        for key, value in (params or {}).items()
    }
    return ReadError(str(_WORDS.get(code, _DAMAGED)) % shown)
