"""Masks: what of a value may be seen, and how a whole value is compared.

The number of bullets is fixed, so that a mask does not tell the length of what it hides.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.dateparse import parse_date

from backoffice.masking.values import MASK_CHAR

_RUN = MASK_CHAR * 5
_WORDS_SHOWN = 4
_LONGEST_PLAIN_ENDING = 3
_DIGITS_TO_SHOW_TWO = 7
_HIDDEN = MASK_CHAR * 8
_PHONE_HEAD = f"{MASK_CHAR * 3} " * 3
_PHONE_END = 11


@dataclass(frozen=True, slots=True)
class Mask:
    """A rule for one kind of value; call it with the clear text to get the mask.

    `kind` names the way whole values are made comparable, one of `NORMAL_FORMS`.
    """

    kind: str
    hide: Callable[[str], str]

    def __call__(self, clear: str) -> str:
        """Return the mask of `clear`; never blank for a value that is not."""
        return (self.hide(clear) or _HIDDEN) if clear else ""


def _hide_name(clear: str) -> str:
    words = clear.split(None, _WORDS_SHOWN)[:_WORDS_SHOWN]
    return " ".join([word[0] + _RUN for word in words])


def _hide_email(clear: str) -> str:
    box, at, host = clear.strip().rpartition("@")
    if not (box and at and host):
        return _hide_text(clear)
    _rest, dot, ending = host.rpartition(".")
    shown = ending if dot and 0 < len(ending) <= _LONGEST_PLAIN_ENDING else MASK_CHAR * 3
    return f"{box[0]}{_RUN}@{host[0]}{_RUN}.{shown}"


def _hide_phone(clear: str) -> str:
    # The end of most numbers says enough, and costs a quarter of asking each character.
    digits = clear[-_PHONE_END:].replace(" ", "").replace("-", "")
    if not (digits.isdigit() and len(digits) >= _DIGITS_TO_SHOW_TWO):
        digits = "".join(filter(str.isdigit, clear))
    ending = digits[-2:] if len(digits) >= _DIGITS_TO_SHOW_TWO else MASK_CHAR * 2
    return _PHONE_HEAD + ending


def _hide_text(_clear: str) -> str:
    return _HIDDEN


def _hide_date(_clear: str) -> str:
    return f"{MASK_CHAR * 4}-{MASK_CHAR * 2}-{MASK_CHAR * 2}"


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _without_case(text: str) -> str:
    return _plain(text).casefold()


def _digits(text: str) -> str:
    digits = re.sub(r"\D", "", _plain(text)).removeprefix("00")
    return digits or _without_case(text)


def _iso_date(text: str) -> str:
    plain = _plain(text)
    try:
        date = parse_date(plain)
    except ValueError:
        date = None
    return date.isoformat() if date else plain


NORMAL_FORMS: dict[str, Callable[[str], str]] = {
    "name": _without_case,
    "email": _without_case,
    "phone": _digits,
    "text": _plain,
    "date": _iso_date,
}

name = Mask("name", _hide_name)
email = Mask("email", _hide_email)
phone = Mask("phone", _hide_phone)
text = Mask("text", _hide_text)
date = Mask("date", _hide_date)
