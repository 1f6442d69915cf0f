"""Measures the sheets of a binary workbook ([MS-XLSB]: records of a number, a length and bytes)."""

import posixpath
import struct
from collections.abc import Iterator
from typing import Final

from backoffice.sheets.intake import bounds
from backoffice.sheets.intake.archives import Meter, local
from backoffice.sheets.intake.bounds import ERROR_CELL, Inspection, SheetNotes, refuse

_ROW, _BLANK, _ERROR, _FORMULA_ERROR, _SHEET, _FILTER = 0, 1, 3, 11, 156, 161
_FILLED: Final = frozenset(range(2, 12)) | {62}  # BrtCellRk .. BrtFmlaError, BrtCellRString
_LONGEST_RECORD: Final = 2 * 1024 * 1024
_LENGTH_BYTES: Final = 4
_ROW_BYTES: Final = 12
_SHEET_BYTES: Final = 12
_STATES: Final = {1: "hidden", 2: "very hidden"}


def inspect(meter: Meter) -> Inspection:
    """Measure every sheet and read every other part through."""
    found = Inspection("xlsb")
    found.macros = any(name.lower().endswith("vbaproject.bin") for name in meter.names)
    targets = _targets(meter)
    for number, body in _records(meter.blocks("xl/workbook.bin")):
        if number == _SHEET and len(body) >= _SHEET_BYTES:
            state, identity, name = _sheet(body)
            if targets.get(identity) in meter.names:
                found.sheets[name] = notes = SheetNotes(hidden=state)
                _measure(meter, targets[identity], notes)
            if len(found.sheets) > bounds.MAX_SHEETS:
                refuse("members")
    meter.drain()
    return found


def _targets(meter: Meter) -> dict[str, str]:
    targets: dict[str, str] = {}

    def relation(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            target = attributes.get("Target", "")
            base = "" if target.startswith("/") else "xl"
            path = posixpath.normpath(posixpath.join(base, target.lstrip("/")))
            targets[attributes.get("Id", "")] = path

    if "xl/_rels/workbook.bin.rels" in meter.names:
        meter.parse_tags("xl/_rels/workbook.bin.rels", relation)
    return targets


def _sheet(body: bytes) -> tuple[str, str, str]:
    """Return state, relation and name of a sheet."""
    (state,) = struct.unpack_from("<I", body)
    identity, at = _wide(body, 8)
    name, _at = _wide(body, at)
    return _STATES.get(state, ""), identity, name


def _wide(body: bytes, at: int) -> tuple[str, int]:
    if at + 4 > len(body):
        refuse("damaged")
    (length,) = struct.unpack_from("<I", body, at)
    end = at + 4 + 2 * length
    if end > len(body):
        refuse("damaged")
    return body[at + 4 : end].decode("utf-16-le", "replace"), end


def _measure(meter: Meter, path: str, notes: SheetNotes) -> None:
    row = 0
    hidden = False
    for number, body in _records(meter.blocks(path)):
        if number == _ROW and len(body) >= _ROW_BYTES:
            row = int.from_bytes(body[:4], "little") + 1
            hidden = bool(body[11] & 0x10)
        elif number in _FILLED:
            column = int.from_bytes(body[:4], "little") + 1
            notes.extend(row, column)
            if hidden:
                notes.hidden_rows += 1
                hidden = False
            if number in {_ERROR, _FORMULA_ERROR}:
                notes.mark(row, column, ERROR_CELL)
        elif number == _FILTER:
            notes.filtered = True


def _records(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number, body) of each record; RefusedError for one that is cut off or huge."""
    rest = b""
    for block in blocks:
        rest += block
        at = 0
        while (head := _head(rest, at)) and head[1] + head[2] <= len(rest):
            number, start, length = head
            yield number, rest[start : start + length]
            at = start + length
        rest = rest[at:]
    if rest:
        refuse("damaged")


def _head(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return number, start of the body and its length; None when more bytes are needed."""
    size = len(data)
    if at >= size:
        return None
    number = data[at]
    at += 1
    if number & 0x80:
        if at >= size:
            return None
        number = (number & 0x7F) | (data[at] & 0x7F) << 7
        at += 1
    length = 0
    for shift in range(_LENGTH_BYTES):
        if at >= size:
            return None
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            break
    if length > _LONGEST_RECORD:
        refuse("long-text")
    return number, at, length
