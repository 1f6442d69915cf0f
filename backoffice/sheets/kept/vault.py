"""Blocks of a kept sheet: columns in compressed, sealed pieces.

Each block is sealed with AES-256-GCM by the sheet's own key, which the key ring seals; sheet, kind,
column and part are bound in, so that no block can stand in for another. A block of texts holds each
text once and a place for each row; one of numbers holds 64-bit ints and a flag for each empty cell.
"""

import base64
import json
import os
import struct
import zlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backoffice import keyring
from backoffice.files.sealing import DamagedError
from backoffice.sheets.kept.columns import Cell
from backoffice.sheets.models import KeptBlock, KeptSheet

SIZE: Final = 5_000
"""Rows of a block; their places fit into 16 bits."""
_NONCE: Final = 12
_HEAD: Final = struct.Struct("<cI")
_NUMBERS, _TEXTS, _PLAIN = b"n", b"t", b"j"
_NUMBER: Final = struct.Struct("=q")
_PLACE: Final = struct.Struct("=H")
LARGEST: Final = 2**62
type Fits = Callable[[Any], bool]
"""Whether a filled cell fits a filter."""


class Vault:
    """Seals and opens the blocks of one sheet. Raises DamagedError for a lost key."""

    def __init__(self, sheet: KeptSheet) -> None:
        try:
            key = base64.b64decode(keyring.open_sealed(sheet.sealed_key, use=sheet.use))
            self._cipher = AESGCM(key)
        except (keyring.UnreadableError, ValueError):
            raise DamagedError from None
        self._use = sheet.use

    def seal(self, what: str, clear: bytes) -> bytes:
        """Return clear bytes compressed and sealed; `what` names the one place they are for."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, zlib.compress(clear, 1), self._bound(what))

    def open(self, what: str, body: Any) -> bytes:
        """Return the clear bytes. Raises DamagedError for a block that is not as it was kept."""
        sealed = bytes(body)
        try:
            packed = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(what))
        except InvalidTag:
            raise DamagedError from None
        return zlib.decompress(packed)

    def block(self, sheet: KeptSheet, kind: str, column: int, part: int, clear: bytes) -> KeptBlock:
        """Return a row that holds the sealed bytes, not saved yet."""
        body = self.seal(f"{kind}{column}/{part}", clear)
        return KeptBlock(sheet=sheet, kind=kind, column=column, part=part, body=body)

    def clear(self, block: KeptBlock) -> bytes:
        """Return what a block holds."""
        return self.open(str(block), block.body)

    def _bound(self, what: str) -> bytes:
        return f"{self._use}:{what}".encode()


@dataclass(slots=True)
class Cells:
    """Cells of a column, row by row: ints with 0 for an empty one, or texts with "".

    `empty` has a 1 for each empty cell. `currency` is that of each amount, None where the column
    has one for all.
    """

    data: "list[Any] | array[Any]"
    empty: bytearray = field(default_factory=bytearray)
    currency: list[str] | None = None

    def __len__(self) -> int:
        return len(self.data)

    def at(self, place: int) -> Cell:
        """Return one cell; None for an empty one."""
        return None if self.empty[place] else self.data[place]

    def extend(self, more: "Cells") -> None:
        """Put the rows of the next block behind."""
        self.data.extend(more.data)
        self.empty.extend(more.empty)

    def flags(self, fits: Fits) -> bytes:
        """Return a 1 for each filled cell that fits, a 0 for the others."""
        if isinstance(self.data, list):
            known = {cell: bool(fits(cell)) for cell in set(self.data)}
            marks = bytes(map(known.__getitem__, self.data))
        else:
            marks = bytes(map(fits, self.data))
        return (int.from_bytes(marks) & ~int.from_bytes(self.empty)).to_bytes(len(marks))

    def taken(self, places: Sequence[int]) -> "Cells":
        """Return the cells at these places, in this order; -1 stands for an empty one."""
        if isinstance(self.data, list):
            texts = [*self.data, ""]
            data: list[Any] | array[Any] = [texts[place] for place in places]
        else:
            numbers = array("q", self.data)
            numbers.append(0)
            data = array("q", map(numbers.__getitem__, places))
        gaps = self.empty + b"\1"
        money = [*self.currency, ""] if self.currency is not None else None
        return Cells(
            data,
            bytearray(map(gaps.__getitem__, places)),
            [money[place] for place in places] if money is not None else None,
        )


def pack_numbers(cells: Sequence[int | None]) -> bytes:
    """Return numbers of 64 bits, None for an empty cell, as bytes."""
    numbers = array("q", [cell or 0 for cell in cells])
    empty = bytes(cell is None for cell in cells)
    return _HEAD.pack(_NUMBERS, len(cells)) + numbers.tobytes() + empty


def pack_texts(cells: Sequence[str]) -> bytes:
    """Return texts, "" for an empty cell, as bytes: each text once, a place for each row."""
    known: dict[str, int] = {}
    places = array("H", [known.setdefault(cell, len(known)) for cell in cells])
    words = json.dumps(list(known), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return _HEAD.pack(_TEXTS, len(cells)) + places.tobytes() + words


def unpack(clear: bytes) -> Cells:
    """Return the cells of a block."""
    kind, size = _HEAD.unpack_from(clear)
    body = clear[_HEAD.size :]
    if kind == _NUMBERS:
        numbers = array("q")
        numbers.frombytes(body[: size * 8])
        return Cells(numbers, bytearray(body[size * 8 :]))
    places = array("H")
    places.frombytes(body[: size * 2])
    words = _words(body[size * 2 :])
    data = list(map(words.__getitem__, places))
    if "" not in words:
        return Cells(data, bytearray(size))
    blank = bytes(not word for word in words)
    return Cells(data, bytearray(map(blank.__getitem__, places)))


def flags(clear: bytes, fits: Fits) -> bytes:
    """Return a 1 for each filled cell of a block that fits, a 0 for the others."""
    kind, size = _HEAD.unpack_from(clear)
    if kind == _NUMBERS:
        return unpack(clear).flags(fits)
    places, words = array("H"), _words(clear[_HEAD.size + size * _PLACE.size :])
    places.frombytes(clear[_HEAD.size : _HEAD.size + size * _PLACE.size])
    marks = bytes(bool(word) and fits(word) for word in words)
    return bytes(map(marks.__getitem__, places))


def picked(clear: bytes, rows: Sequence[int]) -> list[Cell]:
    """Return the cells of some rows of a block, None for an empty one; much faster than all."""
    kind, size = _HEAD.unpack_from(clear)
    start = _HEAD.size
    if kind == _NUMBERS:
        flags = start + size * _NUMBER.size
        numbers = (_NUMBER.unpack_from(clear, start + row * _NUMBER.size)[0] for row in rows)
        return [
            None if clear[flags + row] else number
            for row, number in zip(rows, numbers, strict=True)
        ]
    words = _words(clear[start + size * _PLACE.size :])
    places = (_PLACE.unpack_from(clear, start + row * _PLACE.size)[0] for row in rows)
    return [words[place] or None for place in places]


def _words(text: bytes) -> list[str]:
    words: list[str] = json.loads(text.decode("utf-8", "surrogatepass"))
    return words


def pack_places(places: Sequence[int]) -> bytes:
    """Return positions of rows as bytes."""
    return array("i", places).tobytes()


def unpack_places(clear: bytes) -> "array[int]":
    """Return positions of rows."""
    places = array("i")
    places.frombytes(clear)
    return places
