"""Canaries: personal values that must come back nowhere, and the search for them.

Planted are the masked fields (of customers, of today and of history) and
their blind indexes: who sees an index can tell that two people share a number. People who sign in
carry business addresses that their own pages show to staff, so those are no canaries; what one
shop must not see of another is looked for in the same way.

A mask may show first letters and the last two digits, so each canary names the parts whose
appearance can only be a leak; and each part is so long that no token, nonce or request id holds it
by chance. They are looked for as they are and as HTML, URL, JSON, JavaScript,
base64 and hexadecimal text would hold them, also inside zip (xlsx) and gzip.
"""

import base64
import gzip
import html
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

_DIGITS_OF_A_PHONE = 7
_LEAST_LENGTH = 7
# What may stand between the digits of a number that was laid out anew: no letters, or the few
# digits of a random token would soon hold one.
_GAP = r"(?:[^0-9A-Za-z]|%[0-9A-F]{2}|&(?:#\d+|#x[0-9a-f]+|nbsp);|\\u00a0|<[^<>\d]{0,40}>){0,6}"
_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"


@dataclass(frozen=True)
class Canary:
    """A secret: `value` as planted, `parts` that no mask shows; `label` names it in reports."""

    label: str
    value: str
    parts: tuple[str, ...] = ()
    _patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise ValueError for a part that random text (tokens, ids) could hold by chance."""
        for part in (self.value, *self.parts):
            if part.isascii() and part.isalnum() and len(part) < _LEAST_LENGTH:
                msg = f"the canary {part!r} is so short that a random token may hold it"
                raise ValueError(msg)
        found = {text for part in (self.value, *self.parts) for text in _written(part)}
        ways = [re.escape(text) for text in sorted(found)]
        exact = [text for part in (self.value, *self.parts) for text in _base64(part)]
        phones = [
            _GAP.join(digits)
            for part in (self.value, *self.parts)
            if len(digits := re.sub(r"\D", "", part)) >= _DIGITS_OF_A_PHONE
            and not re.search(r"[a-z]", part, re.IGNORECASE)
        ]
        patterns = (
            re.compile("|".join([*ways, *phones]), re.IGNORECASE),
            re.compile("|".join(map(re.escape, exact))),
        )
        object.__setattr__(self, "_patterns", patterns)

    def find(self, text: str) -> str:
        """Return what of the canary stands in `text`, with its surroundings; "" for nothing."""
        for pattern in self._patterns:
            if match := pattern.search(text):
                return text[max(match.start() - 60, 0) : match.end() + 30]
        return ""


def _written(text: str) -> set[str]:
    """Return the ways in which text may be written without being packed."""
    escaped = {text, html.escape(text), html.escape(text, quote=False).replace("'", "&#39;")}
    quoted = {quote(text), quote(text, safe=""), quote_plus(text), quote(quote(text, safe=""))}
    scripted = json.dumps(text)[1:-1]
    strict = re.sub(r"[<>&'\"]", lambda match: f"\\u{ord(match[0]):04x}", text)
    as_json = json.dumps(strict).replace("\\\\u", "\\u")[1:-1]
    return {*escaped, *quoted, scripted, as_json, strict, text.encode().hex()}


def _base64(text: str) -> set[str]:
    """Return the middle parts of the base64 of text, as they stand at any offset."""
    found = set()
    for offset in range(3):
        packed = base64.b64encode(b"\0" * offset + text.encode()).decode().rstrip("=")
        # The first characters mix with what precedes, the last ones with what follows.
        core = packed[(0, 2, 3)[offset] : -1]
        found |= {core, core.translate(str.maketrans("+/", "-_"))}
    return found


CUSTOMER = (
    Canary("name", "Qzoë O'Xyvcanary", ("Xyvcanary", "Qzoë")),
    Canary("e-mail", "xyvmail.canary+1@hidden-canary.example", ("xyvmail", "hidden-canary")),
    Canary("phone", "+44 7700 904 831", ("7700904831", "7700 9048")),
)
HOME = (
    Canary("address", "Wxqylane 7714\n108 Zqopvik", ("Wxqylane", "Zqopvik", "7714\n108")),
    Canary("birth date", "1931-07-19", ("1931-07-19", "19 Jul 1931", "19 July 1931")),
    Canary("bank account", "GB33XQZK20201555917364", ("XQZK20201555", "GB33 XQZK 2020")),
)
FORMER = (
    Canary("old name", "Olvazyqova Zyqformer", ("Olvazyqova", "Zyqformer")),
    Canary("old e-mail", "olva.zyq@gone-canary.example", ("olva.zyq", "gone-canary")),
    Canary("old phone", "+44 7700 905 172", ("7700905172", "7700 9051")),
)
# What systems behind sources know of the same person.
REMOTE = (
    Canary("remote name", "Wyxaqjova Qjremote", ("Wyxaqjova", "Qjremote")),
    Canary("remote e-mail", "wyxa.qj@far-canary.example", ("wyxa.qj", "far-canary")),
)
# Rows of sam's shop, which sol must never see. A name here hides in no mask.
OF_SAM = (
    Canary("sam's product", "Samovar Qvcanary", ("Qvcanary",)),
    Canary("sam's product code", "QVSAM-77", ("QVSAM-77",)),
    Canary("sam's order", "QV-7700-SAM", ("QV-7700-SAM",)),
    Canary("sam's shop", "sam-shop", ("Sam Shop", "sam-shop")),
    Canary("sam", "sam@example.com", ("sam@example.com",)),
)
OF_SOL = (
    Canary("sol's product", "Solstice Jkcanary", ("Jkcanary",)),
    Canary("sol's product code", "JKSOL-88", ("JKSOL-88",)),
    Canary("sol's order", "JK-8800-SOL", ("JK-8800-SOL",)),
    Canary("sol's shop", "sol-shop", ("Sol Shop", "sol-shop")),
    Canary("sol", "sol@example.com", ("sol@example.com",)),
)


def leaks(content: bytes | str, canaries: Iterable[Canary], where: str = "") -> list[str]:
    """Return a line for each canary that `content` holds: its label and the place.

    Raises zipfile.BadZipFile or gzip.BadGzipFile for content that only begins like one.
    """
    canaries = tuple(canaries)
    return [
        f"{canary.label} in {place or 'the answer'}: …{excerpt!r}…"
        for place, text in _texts(content, where)
        for canary in canaries
        if (excerpt := canary.find(text))
    ]


def _texts(content: bytes | str, where: str) -> Iterator[tuple[str, str]]:
    """Yield (place, text) of content and of everything packed into it."""
    if isinstance(content, str):
        yield where, content
        return
    if content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from _texts(archive.read(name), f"{where} {name}".strip())
        return
    if content.startswith(_GZIP):
        yield from _texts(gzip.decompress(content), f"{where} gzip".strip())
        return
    yield where, content.decode("utf-8", errors="replace")
