"""Which encoding a text is in: known where it is marked or strict UTF-8, else guessed and ranked.

A guess is made by how common the letters are that an encoding makes of the bytes. Korean read as
Chinese is all common characters too, so each language is measured by what only its own text has.
"""

import codecs
import io
from collections.abc import Callable
from typing import Final

from backoffice.sheets.intake.bounds import refuse

MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ENCODINGS: Final = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso-8859-15",
    "cp1250", "cp1251", "cp1253", "cp1254", "mac-roman", "cp437", "cp949", "cp932", "euc-jp",
    "gb18030", "cp950",
)  # fmt: skip
"""All that a person may choose from."""
_SAMPLE: Final = 256 * 1024
_BLOCK: Final = 1024 * 1024
_ASCII: Final = 128
_JIS_FIRST: Final = range(0xB0, 0xD0)
_KS_SYLLABLES: Final = range(0xB0, 0xC9)


def ranked(data: bytes) -> tuple[list[str], bool]:
    """Return encodings that can read all of `data`, likeliest first, and whether it is sure.

    Raises RefusedError for bytes that are no text.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return ([encoding], True) if readable(data, encoding) else refuse("not-text")
    if b"\0" in data:
        wide = _wide(data)
        return ([wide], False) if readable(data, wide) else refuse("not-text")
    if readable(data, "utf-8"):
        return ["utf-8"], True
    scores = {name: rate(data, name) for name in _RATES}
    able = [name for name in _RATES if scores[name] > 0 and readable(data, name)]
    if not able:
        refuse("not-text")
    return sorted(able, key=lambda name: -scores[name]), False


def _wide(data: bytes) -> str:
    """Text of two bytes a letter without a mark: the side where the zeros stand."""
    sample = data[:_SAMPLE]
    low, high = sample[1::2].count(0), sample[::2].count(0)
    if max(low, high) < len(sample) // 5 or min(low, high) > max(low, high) // 10:
        refuse("not-text")
    return "utf-16-le" if low > high else "utf-16-be"


def readable(data: bytes, encoding: str) -> bool:
    """Whether all of it can be decoded; it is done in blocks, and nothing is kept."""
    decode = codecs.getincrementaldecoder(encoding)("strict").decode
    view = io.BytesIO(data)
    try:
        while block := view.read(_BLOCK):
            decode(block)
        decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def rate(data: bytes, encoding: str) -> float:
    """Return 0 to 1: how common the letters beyond ASCII are that the encoding gives."""
    cut = data.rfind(b"\n", 0, _SAMPLE) if len(data) > _SAMPLE else len(data)
    try:
        text = data[: cut if cut > 0 else _SAMPLE].decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    return _RATES[encoding](text)


def _hangul(text: str) -> float:
    """Korean text is nearly all syllables; other text read as Korean has Chinese characters."""
    wide = [letter for letter in text if ord(letter) >= _ASCII]
    good = sum(1 for letter in wide if _lead(letter, "euc-kr") in _KS_SYLLABLES)
    marks = sum(1 for letter in wide if "\u2000" <= letter <= "\u303f" or letter > "\uff00")
    return (good + min(marks, good // 4)) / max(len(wide), 1)


def _japanese(text: str) -> float:
    """Kana of full width, and the characters of the first level of the Japanese standard."""
    wide = [letter for letter in text if ord(letter) >= _ASCII]
    kana = sum(1 for letter in wide if "\u3040" <= letter <= "\u30ff")
    first = sum(1 for letter in wide if _lead(letter, "euc-jp") in _JIS_FIRST)
    marks = sum(1 for letter in wide if "\u3000" <= letter <= "\u303f" or letter > "\uff00")
    halves = sum(1 for letter in wide if "\uff61" <= letter <= "\uff9f")
    return max(kana + first + marks - 2 * halves, 0) / max(len(wide), 1)


def _level(encoding: str, first: int, last: int) -> Callable[[str], float]:
    """Chinese: the share of characters in the level that holds the everyday ones."""

    def measure(text: str) -> float:
        wide = [letter for letter in text if letter.isalpha() and ord(letter) >= _ASCII]
        good = sum(1 for letter in wide if first <= _lead(letter, encoding) <= last)
        return 0.97 * good / max(len(wide), 1)

    return measure


def _latin(weight: float, favoured: str = "") -> Callable[[str], float]:
    """Letters with accents stand among plain letters; bytes of Asian text stand in rows."""

    def measure(text: str) -> float:
        good = total = 0
        for before, letter, after in zip(" " + text, text, text[1:] + " ", strict=False):
            if ord(letter) >= _ASCII:
                total += 1
                alone = ord(before) < _ASCII and ord(after) < _ASCII
                good += alone and (letter.isalpha() or letter in "\u20ac\u00a3\u00b0\u2019\u2013")
        plus = 0.05 if favoured and any(letter in favoured for letter in text) else 0.0
        return weight * good / max(total, 1) + (plus if good else 0.01)

    return measure


def _lead(letter: str, encoding: str) -> int:
    """Return the first of the bytes of a letter; 0 when it has none or only one."""
    try:
        code = letter.encode(encoding)
    except UnicodeEncodeError:
        return 0
    return code[0] if len(code) > 1 else 0


_RATES: Final[dict[str, Callable[[str], float]]] = {
    "cp1252": _latin(0.90),
    "iso-8859-15": _latin(0.88, "\u20ac"),
    "cp1250": _latin(0.80, "\u0142\u0144\u015b\u017c\u0119\u0105\u0159\u011b\u016f\u0151\u0171"),
    "cp949": _hangul,
    "cp932": _japanese,
    "gb18030": _level("gb2312", 0xB0, 0xD7),
    "cp950": _level("big5", 0xA4, 0xC6),
    "euc-jp": _japanese,
    "mac-roman": _latin(0.60),
}
