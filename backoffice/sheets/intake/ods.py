"""Measures the tables of an OpenDocument workbook.

A repeat count of a billion costs the writer ten bytes and the reader all of its memory; what
counts here is how far cells with content reach when every repeat is carried out.
"""

from typing import Final

from backoffice.sheets.intake import bounds
from backoffice.sheets.intake.archives import Meter, local, new_parser
from backoffice.sheets.intake.bounds import ERROR_CELL, Inspection, SheetNotes, refuse

_LARGEST_REPEAT: Final = 2**31
_CONTENT: Final = "content.xml"
_FILTERED: Final = frozenset({"filter"})
_COLLAPSED: Final = frozenset({"filter", "collapse"})


def inspect(meter: Meter) -> Inspection:
    """Measure every table and read every other part through."""
    found = Inspection("ods")
    found.macros = any(name.startswith(("Basic/", "Scripts/")) for name in meter.names)
    if "META-INF/manifest.xml" in meter.names:
        meter.parse_tags("META-INF/manifest.xml", _manifest)
    watch = _Watch(found)
    meter.parse(_CONTENT, watch.parser)
    meter.drain()
    return found


def _manifest(name: str, _attributes: dict[str, str]) -> None:
    if local(name) == "encryption-data":
        refuse("password")


def _repeat(attributes: dict[str, str], key: str) -> int:
    text = attributes.get(key, "1")
    if not text.isdecimal() or len(text) > len(str(_LARGEST_REPEAT)):
        refuse("bad-repeat")
    return max(int(text), 1)


class _Watch:
    """Follows tables, rows and cells; covered cells and repeats move the place on."""

    def __init__(self, found: Inspection) -> None:
        self.parser = new_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._found = found
        self._hidden_styles: set[str] = set()
        self._style = ""
        self._notes = SheetNotes()
        self._row = self._rows = self._column = self._filled = 0
        self._visibility = ""
        self._depth = 0
        self._cell = 0
        self._has_content = False

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = local(name)
        if name == "table-cell":
            self._start_cell(attributes)
        elif name == "p":
            self._has_content = True
        elif name == "table-row":
            self._start_row(attributes)
        elif name == "covered-table-cell":
            self._column += _repeat(attributes, "table:number-columns-repeated")
        elif name == "table":
            self._start_table(attributes)
        elif name == "style":
            self._style = attributes.get("style:name", "")
        elif name == "table-properties" and attributes.get("table:display") == "false":
            self._hidden_styles.add(self._style)

    def _end(self, name: str) -> None:
        name = local(name)
        if name == "table-cell":
            self._end_cell()
        elif name == "table-row":
            self._end_row()
        elif name == "table":
            self._depth -= 1

    def _start_table(self, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > 1:  # a table inside of a cell is not a sheet
            return
        hidden = attributes.get("table:style-name", "") in self._hidden_styles
        self._notes = SheetNotes(hidden="hidden" if hidden else "")
        self._found.sheets[attributes.get("table:name", "")] = self._notes
        if len(self._found.sheets) > bounds.MAX_SHEETS:
            refuse("members")
        self._row = 0

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._rows = _repeat(attributes, "table:number-rows-repeated")
        self._visibility = attributes.get("table:visibility", "")
        self._column = self._filled = 0

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._cell = _repeat(attributes, "table:number-columns-repeated")
        self._has_content = (
            "office:value-type" in attributes
            or "office:value" in attributes
            or "table:formula" in attributes
        )
        if attributes.get("calcext:value-type") == "error":
            self._notes.mark(self._row + 1, self._column + 1, ERROR_CELL)

    def _end_cell(self) -> None:
        self._column += self._cell
        if self._has_content:
            self._filled = self._column
            self._has_content = False
            self._notes.extend(self._row + self._rows, self._column)

    def _end_row(self) -> None:
        self._row += self._rows
        if self._filled and self._visibility in _COLLAPSED:
            self._notes.hidden_rows += self._rows
            self._notes.filtered = self._notes.filtered or self._visibility in _FILTERED
