"""How much of a value of each kind may be seen: a European rule, a Korean one, or your own.

`BACKOFFICE_MASKS` chooses by kind, as {"name": "kr", "card": "bin"}; what it does not name follows
the European rule. A dotted name of a function of text chooses that function. The number of bullets
is fixed, so that a mask does not tell the length of what it hides.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from backoffice.masking.values import MASK_CHAR, is_mask

type Rule = Callable[[str], str]

_RUN = MASK_CHAR * 5
_WORDS_SHOWN = 4
_LONGEST_PLAIN_ENDING = 3
_DIGITS_TO_SHOW_TWO = 7
_HIDDEN = MASK_CHAR * 8
_PHONE_HEAD = f"{MASK_CHAR * 3} " * 3
_PHONE_END = 11
_HANGUL = re.compile("[\uac00-\ud7a3]+")
_KOREAN_PLACE = re.compile("[\uac00-\ud7a3]+[\uc2dc\ub3c4\uad70\uad6c]")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_THREE_SYLLABLES, _WHOLE_NUMBER = 3, 9
_CARD = range(13, 20)
_LONG_ACCOUNT = 10
_LONG_BOX = 4
_BIN, _LAST = 6, 4


def hide_name(clear: str) -> str:
    words = clear.split(None, _WORDS_SHOWN)[:_WORDS_SHOWN]
    return " ".join([word[0] + _RUN for word in words])


def hide_email(clear: str) -> str:
    box, at, host = clear.strip().rpartition("@")
    if not (box and at and host):
        return hide_text(clear)
    _rest, dot, ending = host.rpartition(".")
    shown = ending if dot and 0 < len(ending) <= _LONGEST_PLAIN_ENDING else MASK_CHAR * 3
    return f"{box[0]}{_RUN}@{host[0]}{_RUN}.{shown}"


def hide_phone(clear: str) -> str:
    # The end of most numbers says enough, and costs a quarter of asking each character.
    digits = clear[-_PHONE_END:].replace(" ", "").replace("-", "")
    if not (digits.isdigit() and len(digits) >= _DIGITS_TO_SHOW_TWO):
        digits = "".join(filter(str.isdigit, clear))
    ending = digits[-2:] if len(digits) >= _DIGITS_TO_SHOW_TWO else MASK_CHAR * 2
    return _PHONE_HEAD + ending


def hide_text(_clear: str) -> str:
    return _HIDDEN


def hide_date(_clear: str) -> str:
    return f"{MASK_CHAR * 4}-{MASK_CHAR * 2}-{MASK_CHAR * 2}"


def _korean_name(clear: str) -> str:
    """Return a Korean name without its middle; another name by the European rule."""
    plain = clear.strip()
    if not _HANGUL.fullmatch(plain):
        return hide_name(clear)
    return plain[0] + MASK_CHAR + (plain[-1] if len(plain) >= _THREE_SYLLABLES else "")


def _korean_email(clear: str) -> str:
    """Return an address with the head of its box and its host."""
    box, at, host = clear.strip().rpartition("@")
    if not (box and at and host):
        return hide_text(clear)
    return f"{box[: 2 if len(box) >= _LONG_BOX else 1]}{_RUN}@{host}"


def _korean_phone(clear: str) -> str:
    """Return a number without its middle, at home or with +82; others by the European rule."""
    digits = "".join(filter(str.isdigit, clear))
    if digits.startswith("82"):
        digits = "0" + digits.removeprefix("82").removeprefix("0")
    if not digits.startswith("0") or len(digits) < _WHOLE_NUMBER:
        return hide_phone(clear)
    area = digits[:2] if digits.startswith("02") else digits[:3]
    return f"{area}-{MASK_CHAR * 4}-{digits[-_LAST:]}"


def _european_address(clear: str) -> str:
    """Return the town or country after the last comma, if that is one by its letters."""
    rest, comma, place = clear.rpartition(",")
    word = place.strip()
    known = comma and rest.strip() and word.replace(" ", "").replace("-", "").isalpha()
    return f"{_RUN}, {word}" if known else hide_text(clear)


def _korean_address(clear: str) -> str:
    """Return province or city and district, which stand first."""
    shown = []
    for word in clear.split()[:2]:
        if not _KOREAN_PLACE.fullmatch(word):
            break
        shown.append(word)
    return " ".join([*shown, _RUN]) if shown else hide_text(clear)


def _korean_birth_date(clear: str) -> str:
    """Return the year."""
    year, dash, _rest = clear.partition("-")
    known = dash and len(year) == _LAST and year.isdigit()
    return f"{year}-{MASK_CHAR * 2}-{MASK_CHAR * 2}" if known else hide_date(clear)


def _european_account(clear: str) -> str:
    """Return country and last four of an IBAN, the last two of another number."""
    plain = re.sub(r"[\s-]", "", clear).upper()
    if _IBAN.fullmatch(plain):
        return f"{plain[:2]}{MASK_CHAR * 2} {MASK_CHAR * 4} {plain[-_LAST:]}"
    return f"{_HIDDEN} {plain[-2:]}" if len(plain) >= _LONG_ACCOUNT else _HIDDEN


def _korean_account(clear: str) -> str:
    """Return the first three digits, which tell the bank, and the last two."""
    digits = "".join(filter(str.isdigit, clear))
    if len(digits) < _LONG_ACCOUNT:
        return _HIDDEN
    return f"{digits[:3]}-{MASK_CHAR * 3}-{MASK_CHAR * 4}{digits[-2:]}"


def _card_end(clear: str) -> str:
    """Return the last four digits."""
    digits = "".join(filter(str.isdigit, clear))
    ending = digits[-_LAST:] if len(digits) in _CARD else MASK_CHAR * 4
    return f"{f'{MASK_CHAR * 4} ' * 3}{ending}"


def _card_bin(clear: str) -> str:
    """Return BIN and last four, the most that PCI DSS 4.0.1 (3.4.1) lets be shown."""
    digits = "".join(filter(str.isdigit, clear))
    if len(digits) not in _CARD:
        return _card_end(clear)
    first = digits[:_BIN]
    return f"{first[:4]} {first[4:]}{MASK_CHAR * 2} {MASK_CHAR * 4} {digits[-_LAST:]}"


RULES: dict[str, dict[str, Rule]] = {
    "name": {"eu": hide_name, "kr": _korean_name},
    "email": {"eu": hide_email, "kr": _korean_email},
    "phone": {"eu": hide_phone, "kr": _korean_phone},
    "address": {"eu": _european_address, "kr": _korean_address},
    "birth_date": {"eu": hide_date, "kr": _korean_birth_date},
    "bank_account": {"eu": _european_account, "kr": _korean_account},
    "card": {"eu": _card_end, "kr": _card_bin, "last4": _card_end, "bin": _card_bin},
}
# Each kind's rule as the settings have it; found when it is first asked for.
_chosen: dict[str, Rule] = {}
# The rules of this module, which hide something of every value.
_ours: list[Rule] = [hide_text, *(one for named in RULES.values() for one in named.values())]


def by_setting(kind: str) -> Rule:
    """Return the function that hides a value of `kind` as BACKOFFICE_MASKS says."""

    def hide(clear: str) -> str:
        return (_chosen.get(kind) or choose(kind))(clear)

    _ours.append(hide)
    return hide


def choose(kind: str) -> Rule:
    """Return the rule of `kind`. Raises LookupError or ImportError for one that is not there."""
    if kind not in RULES:
        msg = f"there is no kind {kind!r} with rules to choose; there are {', '.join(RULES)}"
        raise LookupError(msg)
    name = getattr(settings, "BACKOFFICE_MASKS", {}).get(kind, "eu")
    rule = RULES[kind].get(name)
    if rule is None:
        if "." not in name:
            msg = f"{kind} has no rule {name!r}; it has {', '.join(RULES[kind])}"
            raise LookupError(msg)
        rule = hiding(import_string(name))
    _chosen[kind] = rule
    return rule


def hiding(rule: Rule) -> Rule:
    """Return one of our rules as it is; of others, one that hides all where they hide nothing."""
    return rule if any(rule is one for one in _ours) else Hiding(rule)


@dataclass(frozen=True, slots=True)
class Hiding:
    """A rule of others. What nobody could take for a mask, or holds the value whole, is not shown.

    A mask that reads like a value would be taken for one when it comes back.
    """

    rule: Rule

    def __call__(self, clear: str) -> str:
        """Return what may be seen of `clear`."""
        shown = self.rule(clear) or ""
        hides = is_mask(shown, long=True) and clear.strip() not in shown
        return shown if hides else _HIDDEN


def _forget(*, setting: str, **_more: Any) -> None:
    if setting == "BACKOFFICE_MASKS":
        _chosen.clear()


setting_changed.connect(_forget, dispatch_uid="backoffice.masking.rules")
