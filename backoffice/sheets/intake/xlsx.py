"""Measures the sheets of an Open XML workbook.

Almost every sheet is written in one plain way; such rows are measured by regular expressions, a
block at a time. Whatever differs in the least (prefixes, references in attributes, comments, cells
without addresses) goes through expat, cell by cell, with the same result.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from backoffice.sheets.intake import bounds
from backoffice.sheets.intake.archives import Meter, damage, local, new_parser, runs
from backoffice.sheets.intake.bounds import (
    ERROR_CELL,
    NO_STORED_VALUE,
    Inspection,
    SheetNotes,
    column_number,
    position,
    refuse,
)

_LONGEST_ROW_NUMBER: Final = 7
_CELL: Final = rb'<c r="([A-Z]{1,3}[1-9][0-9]{0,6})"[ =a-zA-Z0-9"]*'
_FILLED: Final = re.compile(_CELL + rb">")
_STYLED: Final = re.compile(_CELL + rb"/>")
_ERROR: Final = re.compile(_CELL + rb' t="e"[ =a-zA-Z0-9"]*>')
_ROW: Final = re.compile(rb'<row r="([1-9][0-9]{0,6})"((?: [A-Za-z0-9:]+="[^"<>&]*")*) ?(/?)>')
_HIDDEN: Final = re.compile(rb' hidden="(?:1|true)"')
_FORMULA: Final = re.compile(
    rb'<c r="([A-Z]{1,3}[0-9]+)"([^<>]*)><f(?:[^<>]*/>|[^<>]*>[^<]*</f>)(</c>|<v ?/>|<v></v>)?'
)
_DIGITS: Final = b"0123456789"
_LETTERS: Final = bytes(range(ord("A"), ord("Z") + 1))
_STATES: Final = {"hidden": "hidden", "veryHidden": "very hidden"}


def inspect(meter: Meter) -> Inspection:
    """Measure every sheet and read every other part through."""
    found = Inspection("xlsx")
    found.macros = any(name.lower().endswith("vbaproject.bin") for name in meter.names)
    paths = _sheets(meter, found)
    for name, path in paths.items():
        _measure(meter, path, found.sheets[name])
    meter.drain()
    return found


def sheet_paths(meter: Meter) -> dict[str, str]:
    """Return name -> member path of each worksheet, in the order of the workbook."""
    return _sheets(meter, Inspection("xlsx"))


def _sheets(meter: Meter, found: Inspection) -> dict[str, str]:
    """Return what `sheet_paths` does, and note in `found` which sheets there are."""
    targets: dict[str, str] = {}
    names: dict[str, tuple[str, str]] = {}

    def relation(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            target = attributes.get("Target", "")
            base = "" if target.startswith("/") else "xl"
            path = posixpath.normpath(posixpath.join(base, target.lstrip("/")))
            targets[attributes.get("Id", "")] = path

    def sheet(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "sheet":
            identity = [value for key, value in attributes.items() if key.endswith(":id")]
            state = _STATES.get(attributes.get("state", ""), "")
            names[attributes.get("name", "")] = (identity[0] if identity else "", state)
            if len(names) > bounds.MAX_SHEETS:
                refuse("members")

    if "xl/_rels/workbook.xml.rels" in meter.names:
        meter.parse_tags("xl/_rels/workbook.xml.rels", relation)
    meter.parse_tags("xl/workbook.xml", sheet)
    paths = {name: targets.get(key, "") for name, (key, _state) in names.items()}
    paths = {name: path for name, path in paths.items() if path in meter.names}
    found.sheets = {name: SheetNotes(hidden=names[name][1]) for name in paths}
    return paths


def _measure(meter: Meter, path: str, notes: SheetNotes) -> None:
    watch = _Watch(notes)
    with damage():
        for part, rows in parts(runs(meter.blocks(path))):
            if not (rows and _plain(part, notes)):
                watch.parser.Parse(part, False)
        watch.parser.Parse(b"", True)
    watch.finish()


def parts(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut the stream into whole rows (True) and all that stands around them (False)."""
    rest = b""
    for block in blocks:
        rest += block
        end = rest.rfind(b"</row>")
        if end < 0:
            if b"<row" not in rest:
                cut = max(len(rest) - len(b"<row"), 0)
                yield rest[:cut], False
                rest = rest[cut:]
            elif len(rest) > 16 * bounds.LONGEST_RUN:
                refuse("long-text")
            continue
        begin = rest.find(b"<row")
        end += len(b"</row>")
        if 0 <= begin < end:
            yield rest[:begin], False
            yield rest[begin:end], True
        else:
            yield rest[:end], False
        rest = rest[end:]
    yield rest, False


def _plain(rows: bytes, notes: SheetNotes) -> bool:
    """Measure rows that are written in the plain way; False, with nothing noted, for others."""
    if b"<!" in rows or b"<?" in rows or _prefixed(rows):
        return False
    filled = _FILLED.findall(rows)
    cells = rows.count(b"<c")
    styled = len(_STYLED.findall(rows)) if len(filled) != cells else 0
    found = _ROW.findall(rows)
    if len(filled) + styled != cells or len(found) != rows.count(b"<row"):
        return False
    _extend(filled, notes)
    _hidden(found, rows, notes)
    _empty_cells(rows, notes)
    return True


def _prefixed(rows: bytes) -> bool:
    """Whether the name of a tag has a prefix; colons are rare, tags are not."""
    at = rows.find(b":")
    while at >= 0:
        tag = rows.rfind(b"<", 0, at)
        if tag >= 0 and b" " not in rows[tag:at] and b">" not in rows[tag:at]:
            return True
        at = rows.find(b":", at + 1)
    return False


def _extend(filled: list[bytes], notes: SheetNotes) -> None:
    if not filled:
        return
    joined = b" ".join(filled)
    row = max(map(int, joined.translate(None, _LETTERS).split()))
    names = joined.translate(None, _DIGITS)
    if len(names) == 2 * len(filled) - 1:  # letters alone, with a blank between two
        column = column_number(max(names[::2]).to_bytes().decode())
    else:
        column = max(column_number(name.decode()) for name in set(names.split()))
    notes.extend(row, column)


def _hidden(found: list[tuple[bytes, bytes, bytes]], rows: bytes, notes: SheetNotes) -> None:
    if b" hidden=" in rows:
        notes.hidden_rows += sum(
            1 for _number, more, closed in found if not closed and _HIDDEN.search(more)
        )


def _empty_cells(rows: bytes, notes: SheetNotes) -> None:
    """Note cells that hold an error, and formulas whose value was never stored."""
    if b' t="e"' in rows:
        for match in _ERROR.finditer(rows):
            notes.mark(*position(match[1].decode()), ERROR_CELL)
    if b"<f" in rows:
        for match in _FORMULA.finditer(rows):
            is_text = b't="str"' in match[2]
            if match[3] and (match[3] == b"</c>" or not is_text):
                notes.mark(*position(match[1].decode()), NO_STORED_VALUE)


class _Watch:
    """Follows the cells of one sheet through expat.

    A cell that only has a style does not count: templates are often styled to the last row.
    """

    def __init__(self, notes: SheetNotes) -> None:
        self.parser = new_parser()
        self.parser.StartElementHandler = self._start
        self._notes = notes
        self._row = 0
        self._column = 0
        self._hidden = False
        self._text = False
        self._formula: tuple[int, int] | None = None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if ":" in name:
            name = local(name)
        if name == "c":
            self._cell(attributes)
        elif name in {"v", "is"}:
            if self._formula is not None:
                self._await_value()
            self._fill()
        elif name == "row":
            self._next_row(attributes)
        elif name == "f":
            self._formula = (self._row, self._column)
            self._fill()
        elif name == "autoFilter":
            self._notes.filtered = True

    def _next_row(self, attributes: dict[str, str]) -> None:
        self._settle()
        self._row = _whole(attributes.get("r"), self._row + 1)
        self._column = 0
        self._hidden = attributes.get("hidden") in {"1", "true"}

    def _cell(self, attributes: dict[str, str]) -> None:
        self._settle()
        reference = attributes.get("r")
        if reference is None:
            self._column += 1
        else:
            self._row, self._column = position(reference)
        kind = attributes.get("t")
        self._text = kind == "str"
        if kind == "e":
            self._notes.mark(self._row, self._column, ERROR_CELL)

    def _fill(self) -> None:
        if self._hidden:
            self._notes.hidden_rows += 1
            self._hidden = False
        self._notes.extend(self._row, self._column)

    def _await_value(self) -> None:
        """A formula has a value when its <v> holds anything; an empty text is a value too."""
        if self._text:
            self._formula = None
        else:
            self.parser.CharacterDataHandler = self._value

    def _value(self, _data: str) -> None:
        self._formula = None
        self.parser.CharacterDataHandler = None

    def finish(self) -> None:
        """Note what the last cell left open."""
        self._settle()

    def _settle(self) -> None:
        """Note a formula that passed without a value."""
        if self._formula is not None:
            where, self._formula = self._formula, None
            self.parser.CharacterDataHandler = None
            self._notes.mark(*where, NO_STORED_VALUE)


def _whole(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or len(text) > _LONGEST_ROW_NUMBER:
        refuse("bad-row")
    return int(text)
