"""Files lie encrypted: a key of its own for each, which the key ring seals in the file's row.

A file is cut into chunks of 64 KiB, each sealed with AES-256-GCM. The nonce of a chunk holds its
number and whether it is the last one (the STREAM construction of Hoang, Reyhanitabar, Rogaway and
Vizár, 2015), the file's own name is bound in: chunks cannot be swapped, left out, cut off at the
end, added, or moved into another file. Memory is that of two chunks, however long the file is.
"""

import base64
import io
import struct
from collections.abc import Buffer, Iterable, Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backoffice import keyring

CHUNK: Final = 64 * 1024
_TAG: Final = 16
# Seven zero bytes (every file has a key of its own), the chunk's number, and 1 for the last chunk.
_NONCE: Final = struct.Struct(">7xIB")


class DamagedError(Exception):
    """The file is not as it was kept: changed, cut off, lengthened, or sealed by a lost key."""


def new_key(use: str) -> str:
    """Return a new key, sealed by the newest key of the ring for `use`.

    Raises ImproperlyConfigured without a key ring.
    """
    return keyring.seal(base64.b64encode(AESGCM.generate_key(256)).decode(), use=use)


def seal(parts: Iterable[bytes], target: BinaryIO, *, key: str, use: str) -> None:
    """Write the sealed chunks of `parts` to `target`. Raises DamagedError for a lost key."""
    sealer = Sealer(target, key=key, use=use)
    for part in parts:
        sealer.write(part)
    sealer.end()


class Sealer:
    """Takes a file in parts as they come and writes its sealed chunks; `end` writes the last one.

    It holds two chunks at most, and what a part is longer than.
    """

    def __init__(self, target: BinaryIO, *, key: str, use: str) -> None:
        """Raise DamagedError for a lost key."""
        self._target, self._use = target, use.encode()
        self._cipher = _cipher(key, use)
        self._held = bytearray()
        self._number = 0

    def write(self, part: bytes) -> None:
        """Take the next part, of any length."""
        for start in range(0, len(part), CHUNK):
            self._held += part[start : start + CHUNK]
            if len(self._held) > CHUNK:  # the last one is not known before the end
                self._put(last=False)

    def end(self) -> None:
        """Write what is left; an empty file has one empty chunk."""
        self._put(last=True)

    def _put(self, *, last: bool) -> None:
        nonce, chunk = _NONCE.pack(self._number, last), bytes(self._held[:CHUNK])
        self._target.write(self._cipher.encrypt(nonce, chunk, self._use))
        del self._held[:CHUNK]
        self._number += 1


def opened(source: BinaryIO, *, key: str, use: str) -> Iterator[bytes]:
    """Yield the clear chunks of a sealed file, each only when it is proven unchanged.

    Raises DamagedError, at the latest after the last chunk; `prove` asks before anything leaves.
    """
    clear = Clear(source, key=key, use=use)
    for number in range(clear.pieces):
        yield clear.chunk(number)


def prove(source: BinaryIO, *, key: str, use: str) -> None:
    """Read the whole file and raise DamagedError unless it is as it was kept."""
    for _chunk in opened(source, key=key, use=use):
        pass


class Clear(io.RawIOBase):
    """A sealed file, read as the clear one that it holds, from anywhere in it.

    It holds one chunk. Reading raises DamagedError for a chunk that is not as it was kept; that the
    file was cut off is seen at its last chunk. `source` is closed with it.
    """

    def __init__(self, source: BinaryIO, *, key: str, use: str) -> None:
        """Raise DamagedError for a lost key."""
        super().__init__()
        self._source, self._use = source, use.encode()
        self._cipher = _cipher(key, use)
        stored = source.seek(0, io.SEEK_END)
        self.pieces = max(-(-stored // (CHUNK + _TAG)), 1)
        self._size = max(stored - self.pieces * _TAG, 0)
        self._at = 0
        self._held = (-1, b"")

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the clear file, and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def tell(self) -> int:
        """Return the place in the clear file."""
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        """Read what is left of the chunk at this place."""
        number, start = divmod(self._at, CHUNK)
        part = self.chunk(number)[start : start + len(memoryview(buffer))]
        memoryview(buffer)[: len(part)] = part
        self._at += len(part)
        return len(part)

    def chunk(self, number: int) -> bytes:
        """Return a chunk, proven; an empty one behind the last."""
        if number >= self.pieces:
            return b""
        if number != self._held[0]:
            self._source.seek(number * (CHUNK + _TAG))
            nonce = _NONCE.pack(number, number == self.pieces - 1)
            try:
                piece = self._source.read(CHUNK + _TAG)
                self._held = (number, self._cipher.decrypt(nonce, piece, self._use))
            except InvalidTag:
                raise DamagedError from None
        return self._held[1]

    def close(self) -> None:
        """Close the sealed file too."""
        self._source.close()
        super().close()


def derived(key: str, use: str, purpose: str) -> AESGCM:
    """Return a cipher for what belongs to a file and goes with it, by a key made from the file's.

    Whoever uses it takes a new nonce each time. Raises DamagedError for a lost key.
    """
    return AESGCM(HKDF(hashes.SHA256(), 32, None, purpose.encode()).derive(_secret(key, use)))


def _cipher(key: str, use: str) -> AESGCM:
    return AESGCM(_secret(key, use))


def _secret(key: str, use: str) -> bytes:
    try:
        return base64.b64decode(keyring.open_sealed(key, use=use))
    except (keyring.UnreadableError, ValueError):
        raise DamagedError from None
