"""Looking for people in the content of a file: text in any encoding, and archives of texts.

An archive of a few bytes may unpack to more than any machine holds. So what is unpacked has an end,
and a file that goes beyond it counts as one that holds the people: nobody looked at the rest.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Final

from backoffice.masking.mentions import Mentions

_ZIP: Final = b"PK\x03\x04"
_WINDOW: Final = 256 * 1024
# No value is longer; two windows share so much, so that none is cut in half.
_OVERLAP: Final = 1024
_DEPTH: Final = 3
# Bytes that one file may unpack to, archives in archives counted at each level.
UNPACKED: Final = 512 * 1024 * 1024
_UNREADABLE: Final = (  # locked, damaged, or only begins as an archive
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
    EOFError,
    zlib.error,
)
_TAG = re.compile(r"<[^<>]{0,1000}>")
# What a text may be in when it is no UTF-8: Western Europe, Korea, China, Japan.
_OTHER: Final = ("cp1252", "cp949", "gb18030", "cp932")


class _TooMuchError(Exception):
    """The archive unpacks to more than is looked at, or holds archives too deep."""


class _Budget:
    """Passes blocks of members on until their bytes are too many."""

    def __init__(self, most: int) -> None:
        self._left = most

    def spend(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks. Raises _TooMuchError."""
        for block in blocks:
            self._left -= len(block)
            if self._left < 0:
                raise _TooMuchError
            yield block


def names(parts: Iterable[bytes], mentions: Mentions) -> bool:
    """Say whether the content names one of the people; what cannot be read as a zip is text.

    True as well for archives that unpack to more than UNPACKED or lie deeper than is looked.
    """
    try:
        return _names(iter(parts), mentions, _DEPTH, _Budget(UNPACKED))
    except _TooMuchError:
        return True


def _names(parts: Iterator[bytes], mentions: Mentions, depth: int, budget: _Budget) -> bool:
    first = next(parts, b"")
    if not first.startswith(_ZIP):
        return _in_text(_chain(first, parts), mentions)
    if not depth:
        raise _TooMuchError
    whole = io.BytesIO(first + b"".join(parts))
    try:
        return _in_archive(whole, mentions, depth - 1, budget)
    except _UNREADABLE:
        whole.seek(0)
        return _in_text(_blocks(whole), mentions)


def _in_archive(file: io.BytesIO, mentions: Mentions, depth: int, budget: _Budget) -> bool:
    with zipfile.ZipFile(file) as archive:
        if any(mentions.find(name) for name in archive.namelist()):
            return True
        for name in archive.namelist():
            with archive.open(name) as member:
                if _names(budget.spend(_blocks(member)), mentions, depth, budget):
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
