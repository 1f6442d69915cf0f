"""Looking for people in the content of a file: text in any encoding, and archives of texts.

An archive of a few bytes may unpack to more than any machine holds. So what is unpacked has an end,
and a file that goes beyond it counts as one that holds the people: nobody looked at the rest.
"""

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
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
# What a text may be in when it is no UTF-8: Western Europe, Korea, China, Japan; and what else
# uploads are read in, for a text of which nobody said it.
_USUAL: Final = ("cp1252", "cp949", "gb18030", "cp932")
_OTHER: Final = (
    *_USUAL, "cp950", "euc-jp", "cp1250", "cp1251", "cp1253", "cp1254", "mac-roman", "cp437",
)  # fmt: skip
_MARKS: Final = ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"))
# The old kind of workbook: its texts are in pieces, in one byte a letter or two, so nobody looks.
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Texts of two bytes a letter begin anywhere in a binary workbook.
_BINARY: Final = (("utf-16-le", 0), ("utf-16-le", 1))


type Reading = tuple[str, int]


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


def names(parts: Iterable[bytes], mentions: Mentions, encoding: str = "") -> bool:
    """Say whether the content names one of the people; what cannot be read as a zip is text.

    `encoding` is one that it is known to be in. True as well for archives that unpack to more than
    UNPACKED or lie deeper than is looked, and for workbooks
    of the old binary kind.
    """
    try:
        return _names(iter(parts), mentions, _DEPTH, _Budget(UNPACKED), encoding)
    except _TooMuchError:
        return True


def _names(
    parts: Iterator[bytes], mentions: Mentions, depth: int, budget: _Budget, encoding: str = ""
) -> bool:
    first = next(parts, b"")
    if not first.startswith(_ZIP):
        return _in_text(_chain(first, parts), mentions, encoding)
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


def _in_text(parts: Iterator[bytes], mentions: Mentions, encoding: str = "") -> bool:
    parts = iter(parts)
    first = next(parts, b"")
    said = [(encoding, 0)] if encoding else []
    said += [(name, 0) for mark, name in _MARKS if first.startswith(mark)]
    if first.startswith(_OLE):
        return bool(mentions)
    carried = b""
    for part in _chain(first, parts):
        window = carried + part
        if any(mentions.find(text) for text in _readings(window, said)):
            return True
        carried = window[-_OVERLAP:]
    return False


def _readings(window: bytes, said: Sequence[Reading]) -> Iterator[str]:
    """Yield the window as text in each encoding that it may be in, markup left out."""
    for encoding, start in dict.fromkeys([*said, *_encodings(window, said)]):
        text = window[start:].decode(encoding, errors="replace")
        yield text
        if "<" in text:
            yield _TAG.sub(" ", text)
            yield _TAG.sub("", text)


def _encodings(window: bytes, said: Sequence[Reading]) -> Iterable[Reading]:
    """Return encodings, each with the place that its letters may begin at, beside what is said."""
    plain = [("utf-8", 0)]
    if b"\x00" in window:
        return [*_BINARY, ("utf-16-be", 0), *plain]
    try:
        window[4:-4].decode()
    except UnicodeDecodeError as error:
        # A character cut at the edge of the window is no sign of another encoding.
        if error.start < len(window) - 8:
            return [*plain, *((one, 0) for one in (_USUAL if said else _OTHER))]
    return plain
