"""Measures an old workbook: a compound file ([MS-CFB]) with a stream of records ([MS-XLS])."""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from backoffice.sheets.intake import bounds
from backoffice.sheets.intake.bounds import ERROR_CELL, Inspection, SheetNotes, refuse

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER: Final = 512
_END: Final = 0xFFFFFFFA
"""From here on sector numbers are marks, not places."""
_ENTRY: Final = 128
_LARGEST_DIRECTORY: Final = 20_000
_SHIFTS: Final = {9: 512, 12: 4096}
_STREAM, _ROOT = 2, 5
_STATES: Final = {1: "hidden", 2: "very hidden"}
_EOF, _FILEPASS, _BOUNDSHEET, _BOF = 0x0A, 0x2F, 0x85, 0x0809
_ROW, _BOOLERR, _FORMULA, _FILTER = 0x0208, 0x0205, 0x0006, 0x9B
_SINGLE: Final = frozenset({0x0203, 0x0204, 0x00D6, 0x00FD, 0x027E, _BOOLERR, _FORMULA})
_MULTIPLE: Final = 0x00BD  # MULRK
_CELL_BYTES: Final = 6
_WORKSHEET: Final = 0
_FORMULA_IS_ERROR: Final = 2


def inspect(file: BinaryIO, size: int) -> Inspection:
    """Measure every sheet. Raises RefusedError for a protected, damaged or other document."""
    compound = _Compound(file, size)
    if "EncryptedPackage" in compound.streams:
        refuse("password")
    name = next((one for one in ("Workbook", "Book") if one in compound.streams), None)
    if name is None:
        refuse("no-workbook")
    found = Inspection("xls")
    found.macros = "_VBA_PROJECT_CUR" in compound.streams or "VBA" in compound.streams
    _measure(compound.read(name), found)
    return found


class _Compound:
    """The streams of a compound file; every chain of sectors is followed once, and ends."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        head = self._at(0, _HEADER)
        shift, mini = struct.unpack_from("<HH", head, 30)
        self._sector = _SHIFTS.get(shift, 0)
        self._mini = 1 << mini if mini == 6 else 0  # noqa: PLR2004 - 64 bytes, as the format says
        if len(head) < _HEADER or not self._sector or not self._mini:
            refuse("damaged")
        self._most = size // self._sector + 1
        self._table = self._allocation(head)
        (first,) = struct.unpack_from("<I", head, 48)
        (self._cutoff,) = struct.unpack_from("<I", head, 56)
        (self._first_mini,) = struct.unpack_from("<I", head, 60)
        self.streams: dict[str, tuple[int, int]] = {}
        self._root = (0, 0)
        self._directory(b"".join(self._chain(first)))

    def _at(self, place: int, length: int) -> bytes:
        self._file.seek(place)
        return self._file.read(length)

    def _read_sector(self, number: int) -> bytes:
        place = (number + 1) * self._sector
        if place >= self._size:
            refuse("damaged")
        return self._at(place, self._sector)

    def _allocation(self, head: bytes) -> tuple[int, ...]:
        """Return the table that says which sector follows which."""
        places = [one for one in struct.unpack_from("<109I", head, 76) if one < _END]
        (following,) = struct.unpack_from("<I", head, 68)
        seen = 0
        while following < _END:
            *more, following = struct.unpack(
                f"<{self._sector // 4}I", self._read_sector(following).ljust(self._sector, b"\xff")
            )
            places += [one for one in more if one < _END]
            seen += 1
            if seen > self._most:
                refuse("damaged")
        if len(places) > self._most or len(set(places)) != len(places):
            refuse("damaged")
        data = b"".join(self._read_sector(one) for one in places)
        return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])

    def _chain(self, number: int) -> Iterator[bytes]:
        seen: set[int] = set()
        while number < _END:
            if number in seen or number >= len(self._table):
                refuse("damaged")
            seen.add(number)
            yield self._read_sector(number)
            number = self._table[number]

    def _directory(self, data: bytes) -> None:
        if len(data) > _LARGEST_DIRECTORY * _ENTRY:
            refuse("members")
        for at in range(0, len(data) - _ENTRY + 1, _ENTRY):
            entry = data[at : at + _ENTRY]
            length = int.from_bytes(entry[64:66], "little")
            name = entry[: max(length - 2, 0)][:64].decode("utf-16-le", "replace")
            start, size = struct.unpack_from("<II", entry, 116)
            if entry[66] == _ROOT:
                self._root = (start, size)
            if entry[66]:
                self.streams.setdefault(name, (start, size))

    def read(self, name: str) -> bytes:
        """Return the content of a stream."""
        start, size = self.streams[name]
        if size > self._size:
            refuse("damaged")
        if size >= self._cutoff:
            return b"".join(self._chain(start))[:size]
        return self._read_mini(start)[:size]

    def _read_mini(self, number: int) -> bytes:
        """Small streams lie in a stream of the root, in sectors of their own."""
        content = b"".join(self._chain(self._root[0]))
        data = b"".join(self._chain(self._first_mini))
        table = struct.unpack(f"<{len(data) // 4}I", data)
        pieces: list[bytes] = []
        while number < _END:
            if number >= len(table) or len(pieces) > len(table):
                refuse("damaged")
            pieces.append(content[number * self._mini : (number + 1) * self._mini])
            number = table[number]
        return b"".join(pieces)


def _records(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, place of the body, its length); RefusedError for one that is cut off."""
    size = len(data)
    head = struct.Struct("<HH")
    while at + 4 <= size:
        number, length = head.unpack_from(data, at)
        if at + 4 + length > size:
            refuse("damaged")
        yield number, at + 4, length
        at += 4 + length


def _measure(data: bytes, found: Inspection) -> None:
    places: list[tuple[int, SheetNotes]] = []
    for number, at, length in _records(data, 0):
        if number == _FILEPASS:
            refuse("password")
        if number == _BOUNDSHEET and length > 8:  # noqa: PLR2004 - place, state, kind, name
            place, state, kind = struct.unpack_from("<IBB", data, at)
            notes = SheetNotes(hidden=_STATES.get(state & 3, ""))
            found.sheets[_name(data[at + 6 : at + length])] = notes
            if kind == _WORKSHEET:
                places.append((place, notes))
        if number == _EOF:
            break
    if len(found.sheets) > bounds.MAX_SHEETS:
        refuse("members")
    for place, notes in places:
        _measure_sheet(data, place, notes)


def _name(data: bytes) -> str:
    """A length, a flag for two bytes a letter, and the letters."""
    wide = data[1] & 1
    return data[2 : 2 + data[0] * (1 + wide)].decode("utf-16-le" if wide else "latin-1", "replace")


def _measure_sheet(data: bytes, place: int, notes: SheetNotes) -> None:
    hidden: set[int] = set()
    depth = 0
    for number, at, length in _records(data, place):
        if number in _SINGLE or number == _MULTIPLE:
            _cell(data, number, at, length, notes, hidden)
        elif number == _ROW and length >= 16 and data[at + 12] & 0x20:  # noqa: PLR2004 - its length
            hidden.add(int.from_bytes(data[at : at + 2], "little"))
        elif number == _FILTER:
            notes.filtered = True
        elif number in {_BOF, _EOF}:
            depth += 1 if number == _BOF else -1
            if depth <= 0:  # charts inside of the sheet begin and end like it
                return


def _cell(
    data: bytes, number: int, at: int, length: int, notes: SheetNotes, hidden: set[int]
) -> None:
    if length < _CELL_BYTES:
        refuse("damaged")
    row, column = struct.unpack_from("<HH", data, at)
    last = column
    if number == _MULTIPLE:
        (last,) = struct.unpack_from("<H", data, at + length - 2)
    notes.extend(row + 1, max(column, last) + 1)
    if row in hidden:
        hidden.discard(row)
        notes.hidden_rows += 1
    if _is_error(data, number, at, length):
        notes.mark(row + 1, column + 1, ERROR_CELL)


def _is_error(data: bytes, number: int, at: int, length: int) -> bool:
    if number == _BOOLERR:
        return length >= 8 and data[at + 7] == 1  # noqa: PLR2004 - value, then what it is
    if number == _FORMULA and length >= 14:  # noqa: PLR2004 - address, format, result
        return data[at + 12 : at + 14] == b"\xff\xff" and data[at + 6] == _FORMULA_IS_ERROR
    return False
