"""Looking for people in the content of a file: text in any encoding, and archives of texts."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Final

from backoffice.masking.mentions import Mentions

_ZIP: Final = b"PK\x03\x04"
_WINDOW: Final = 256 * 1024
# No value is longer; two windows share so much, so that none is cut in half.
_OVERLAP: Final = 1024
_DEPTH: Final = 3
_TAG = re.compile(r"<[^<>]{0,1000}>")
# What a text may be in when it is no UTF-8: Western Europe, Korea, China, Japan.
_OTHER: Final = ("cp1252", "cp949", "gb18030", "cp932")


def names(parts: Iterable[bytes], mentions: Mentions, depth: int = _DEPTH) -> bool:
    """Say whether the content names one of the people; what cannot be read as a zip is text."""
    parts = iter(parts)
    first = next(parts, b"")
    if first.startswith(_ZIP) and depth:
        whole = io.BytesIO(first + b"".join(parts))
        try:
            return _in_archive(whole, mentions, depth - 1)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError):  # locked, or only begins so
            whole.seek(0)
            return _in_text(_blocks(whole), mentions)
    return _in_text(_chain(first, parts), mentions)


def _in_archive(file: io.BytesIO, mentions: Mentions, depth: int) -> bool:
    with zipfile.ZipFile(file) as archive:
        if any(mentions.find(name) for name in archive.namelist()):
            return True
        for name in archive.namelist():
            with archive.open(name) as member:
                if names(_blocks(member), mentions, depth):
                    return True
    return False


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_WINDOW):
        yield block


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _in_text(parts: Iterator[bytes], mentions: Mentions) -> bool:
    carried = b""
    for part in parts:
        window = carried + part
        if any(mentions.find(text) for text in _readings(window)):
            return True
        carried = window[-_OVERLAP:]
    return False


def _readings(window: bytes) -> Iterator[str]:
    """Yield the window as text in each encoding that it may be in, markup left out."""
    for encoding in _encodings(window):
        text = window.decode(encoding, errors="replace")
        yield text
        if "<" in text:
            yield _TAG.sub(" ", text)
            yield _TAG.sub("", text)


def _encodings(window: bytes) -> Iterable[str]:
    if b"\x00" in window:
        return ("utf-16-le", "utf-16-be", "utf-8")
    try:
        window[4:-4].decode()
    except UnicodeDecodeError as error:
        # A character cut at the edge of the window is no sign of another encoding.
        return ("utf-8", *_OTHER) if error.start < len(window) - 8 else ("utf-8",)
    return ("utf-8",)
