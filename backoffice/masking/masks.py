"""Masks: what of a value may be seen, and how a whole value is compared.

What each kind shows is a rule (`rules`), chosen by a setting.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils.dateparse import parse_date

from backoffice.masking import rules


@dataclass(frozen=True, slots=True)
class Mask:
    """A rule for one kind of value; call it with the clear text to get the mask.

    `kind` names the way whole values are made comparable, one of `NORMAL_FORMS`.
    """

    kind: str
    hide: Callable[[str], str]

    def __post_init__(self) -> None:
        """Let a rule of others hide all where it forgets to hide anything."""
        object.__setattr__(self, "hide", rules.hiding(self.hide))

    def __call__(self, clear: str) -> str:
        """Return the mask of `clear`; never blank for a value that is not."""
        return (self.hide(clear) or rules.hide_text(clear)) if clear else ""


def hide_of(mask: Callable[[str], str]) -> Callable[[str], str]:
    """Return what hides a value, of a mask or of a function of text."""
    return mask.hide if isinstance(mask, Mask) else rules.hiding(mask)


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


def _account(text: str) -> str:
    return re.sub(r"[\W_]", "", _plain(text)).upper()


def _number(text: str) -> str:
    """Return a phone number with its country: one from home gets BACKOFFICE_PHONE_COUNTRY."""
    plain = _plain(text)
    digits = _digits(plain)
    home = digits.startswith("0") and not plain.startswith(("+", "00"))
    country = getattr(settings, "BACKOFFICE_PHONE_COUNTRY", "")
    return f"{country}{digits[1:]}" if home and country else digits


NORMAL_FORMS: dict[str, Callable[[str], str]] = {
    "name": _without_case,
    "email": _without_case,
    "phone": _digits,
    "phone_number": _number,
    "text": _plain,
    "date": _iso_date,
    "address": _without_case,
    "birth_date": _iso_date,
    "bank_account": _account,
    "card": _digits,
}

name = Mask("name", rules.by_setting("name"))
email = Mask("email", rules.by_setting("email"))
phone = Mask("phone", rules.by_setting("phone"))
text = Mask("text", rules.hide_text)
date = Mask("date", rules.hide_date)
address = Mask("address", rules.by_setting("address"))
birth_date = Mask("birth_date", rules.by_setting("birth_date"))
bank_account = Mask("bank_account", rules.by_setting("bank_account"))
card = Mask("card", rules.by_setting("card"))
