"""Finding a person in text that somebody typed: their name, address or numbers, however written.

A value is compared as the letters and digits of its words in a row, without case and without what
stands between them: "+44 7700 904 831" is found in "(44) 7700-904831", "Ann Lee" in "LEE, Ann".
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote_plus

# One word: letters and digits of any script.
_WORD: Final = re.compile(r"[^\W_]+")
# Scripts that set no space between a name and what follows it ("김민수가"), found as they stand.
_UNSPACED: Final = re.compile(
    "[\N{HANGUL SYLLABLE GA}-\N{HANGUL SYLLABLE HIH}\u3040-\u30ff\u3400-\u9fff]+"
)
_LEAST_UNSPACED: Final = 3
# Shorter ones would take other people's words away ("Li", "Ann", "12417").
_LEAST_WORD: Final = 7
_LEAST_NAME: Final = 5
# A number is known by its last digits, so that +44 7700 904831 is also found as 07700 904831.
_END_OF_PHONE: Final = 8
_LEAST_PHONE: Final = 7
REMOVED: Final = "[erased]"

type Value = tuple[str, str]
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONES: Final = frozenset({"phone", "phone_number"})
_LEAST_ACCOUNT: Final = 8


def identifies(kind: str, clear: str) -> bool:
    """Say whether the value alone stands for one person in a text about anybody.

    The shape counts beside the kind: a phrase that somebody put where a number belongs does not.
    """
    if kind == "email":
        return bool(_EMAIL.fullmatch(clear.strip()))
    digits = sum(letter.isdigit() for letter in clear)
    if kind in _PHONES:
        return digits >= _LEAST_PHONE and not any(map(str.isalpha, clear))
    return kind in {"bank_account", "card"} and digits >= _LEAST_ACCOUNT


def is_full_name(clear: str, labels: Iterable[str]) -> bool:
    """Say whether a text is two words or more, and no part of our own labels.

    Who names a customer like a choice of ours must not take it out of everybody's texts.
    """
    joined = _joined(clear)
    if len(_WORD.findall(clear)) < 2 and not _UNSPACED.fullmatch(joined):  # noqa: PLR2004 - two
        return False
    if not any(map(str.isalpha, joined)):  # a birth date, a phrase of digits
        return False
    return not any(joined in _joined(label) for label in labels)


class Mentions:
    """The values of people, as (kind, clear text); kinds as `masks.NORMAL_FORMS` names them.

    Dates are left out: a birthday alone names nobody and stands in many other texts.
    """

    def __init__(self, values: Iterable[Value]) -> None:
        self._whole: set[str] = set()
        self._ends: set[str] = set()
        self._unspaced: set[str] = set()
        for kind, clear in values:
            self._learn(kind, unicodedata.normalize("NFKC", str(clear)))
        longest = sorted(self._unspaced, key=len, reverse=True)
        spaced = "|".join(r"\s*".join(name) for name in longest)
        self._unspaced_pattern = re.compile(spaced) if spaced else None
        self._beginnings = {word[:end] for word in self._whole for end in range(1, len(word) + 1)}

    def __bool__(self) -> bool:
        return bool(self._whole or self._ends or self._unspaced)

    def __repr__(self) -> str:
        """Tell how many, never what."""
        return f"<Mentions of {len(self._whole)}>"

    def _learn(self, kind: str, clear: str) -> None:
        words = _WORD.findall(clear)
        joined = _joined(clear)
        if kind == "date" or not joined:
            return
        if kind in _PHONES:
            self._learn_phone(joined)
        elif _UNSPACED.fullmatch(joined):
            if len(joined) >= _LEAST_UNSPACED:
                self._unspaced.add(joined)
        elif len(joined) >= (_LEAST_NAME if len(words) > 1 else _LEAST_WORD):
            self._whole.add(joined)
            if kind == "name":  # "Ann O'Neil" is also "O'Neil, Ann"
                *given, family = clear.split()
                self._whole.add("".join(map(_joined, [family, *given])))

    def _learn_phone(self, joined: str) -> None:
        digits = joined.removeprefix("00")
        if len(digits) >= _LEAST_PHONE:
            self._whole |= {digits, f"00{digits}"}
        if len(digits) > _END_OF_PHONE and digits.isdigit():
            self._ends.add(digits[-_END_OF_PHONE:])

    def find(self, text: str) -> bool:
        """Say whether the text names one of the people, also where it is quoted for URL or HTML."""
        return any(self._spans(written) for written in _written(text))

    def without(self, text: str) -> str:
        """Return the text with each value replaced; what is written in code goes as a whole."""
        for start, end in reversed(self._spans(text)):
            text = f"{text[:start]}{REMOVED}{text[end:]}"
        return REMOVED if self.find(text) else text

    def cleaned(self, value: Any) -> Any:
        """Return JSON with each text cleaned, keys of mappings too."""
        if isinstance(value, str):
            return self.without(value)
        if isinstance(value, dict):
            return {self.without(str(key)): self.cleaned(part) for key, part in value.items()}
        return [self.cleaned(part) for part in value] if isinstance(value, list) else value

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return where the values stand, in order and apart from each other."""
        words = [(m.start(), m.end(), _folded(m[0])) for m in _WORD.finditer(text)]
        found: list[tuple[int, int]] = []
        for index, (start, _end, _word) in enumerate(words):
            if found and start < found[-1][1]:
                continue
            end = self._longest(words, index)
            if end:
                found.append((start, end))
        return _apart(sorted([*found, *self._unspaced_spans(text)]))

    def _longest(self, words: list[tuple[int, int, str]], index: int) -> int:
        """Return where the longest value ends that begins with this word; 0 for none."""
        joined, best = "", 0
        for place in range(index, len(words)):  # a slice would copy the rest for each word
            _start, end, word = words[place]
            joined += word
            if joined in self._whole or self._is_number(joined):
                best = end
            if joined not in self._beginnings and not self._may_be_number(joined):
                break
        return best

    def _is_number(self, joined: str) -> bool:
        return self._may_be_number(joined) and joined[-_END_OF_PHONE:] in self._ends

    def _may_be_number(self, joined: str) -> bool:
        return bool(self._ends) and joined.isdigit() and len(joined) <= 2 * _END_OF_PHONE

    def _unspaced_spans(self, text: str) -> Iterator[tuple[int, int]]:
        if self._unspaced_pattern is not None:
            yield from (match.span() for match in self._unspaced_pattern.finditer(text))


class Elsewhere(Mentions):
    """The people in texts that are not about them: found by the values that stand for them alone.

    Where one of those is found, all values go.
    """

    def __init__(self, alone: Iterable[Value], every: Mentions) -> None:
        super().__init__(alone)
        self._every = every

    def without(self, text: str) -> str:
        """Return the text with each value replaced, where it names one of the people."""
        return self._every.without(text) if self.find(text) else text

    def cleaned(self, value: Any) -> Any:
        """Return JSON cleaned as a whole: a name beside an address goes with it."""
        return self._every.cleaned(value) if super().cleaned(value) != value else value


def _joined(text: str) -> str:
    return "".join(word.casefold() for word in _WORD.findall(text))


def _folded(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold()


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out what lies inside of the one before."""
    kept: list[tuple[int, int]] = []
    for start, end in spans:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _written(text: str) -> set[str]:
    """Return the text as it is and as read from HTML, from an address and from JSON."""
    if not set(text) & {"&", "%", "+", "\\"}:
        return {text}
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    return {text, html.unescape(text), unquote_plus(text), plain}
