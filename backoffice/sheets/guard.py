"""Bounds on a workbook, checked before any library opens it.

A workbook is a zip of XML written by a stranger: 1.7 kB can name a cell in the last row of the
last column and make a reader allocate 17 billion cells; 1 MB can inflate to 1 GB. Everything here
streams through `zipfile` and `expat` in constant memory, so the size of the harm never matters.

While the XML passes by, two things are noted that the reader would turn into blanks without a
word: cells that hold an error (`#N/A`) and formulas whose value was never stored.
"""

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import SEEK_END
from typing import BinaryIO, Final, Literal, NoReturn, Protocol
from xml.parsers import expat

from django.utils.translation import gettext as _

from backoffice.sheets.errors import ReadError

MAX_BYTES: Final = 20 * 1024 * 1024
MAX_MEMBERS: Final = 500
MAX_INFLATED: Final = 400 * 1024 * 1024
MAX_MEMBER: Final = 250 * 1024 * 1024
MAX_RATIO: Final = 200
"""Inflated bytes per stored byte; XML of real sheets reaches 10 to 30."""
RATIO_FLOOR: Final = 10 * 1024 * 1024
"""Below this inflated size a high ratio does no harm."""
MAX_ROWS: Final = 200_000
MAX_COLUMNS: Final = 500
MAX_CELLS: Final = 8_000_000
"""Cells of the rectangle that a sheet spans; the reader holds all of it."""
MAX_NOTES: Final = 10_000
"""Error cells remembered in one file."""
ERROR_CELL: Final = "error-cell"
NO_STORED_VALUE: Final = "no-stored-value"
_LONGEST_ROW_NUMBER: Final = 7
_BLOCK: Final = 256 * 1024
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP: Final = b"PK\x03\x04"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_SHEET_TYPES = ("/worksheet",)


@dataclass(slots=True)
class SheetNotes:
    """What was seen of one sheet: its extent, and cells (row, column from 1) that hold no value."""

    rows: int = 0
    columns: int = 0
    errors: dict[tuple[int, int], str] = field(default_factory=dict)


@dataclass(slots=True)
class Inspection:
    """The kind of a file ("xlsx" or "csv") and, for a workbook, notes by sheet name."""

    kind: str
    sheets: dict[str, SheetNotes] = field(default_factory=dict)


class Source(Protocol):
    """A file that can be opened more than once: a path, or an upload that lies sealed."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Return it, clear, readable from anywhere."""


def inspect(source: Source) -> Inspection:
    """Check the bounds of a file; ReadError says in plain words what is wrong."""
    with source.open("rb") as file:
        return _inspected(file)


def _inspected(file: BinaryIO) -> Inspection:
    size = file.seek(0, SEEK_END)
    file.seek(0)
    if size == 0:
        _refuse(_("The file is empty."))
    if size > MAX_BYTES:
        _refuse(_("The file is larger than 20 MB. Split it and import the parts."))
    head = file.read(8)
    if head == _OLE:
        _refuse_ole(file)
    if not head.startswith(_ZIP):
        return Inspection("csv")
    try:
        with zipfile.ZipFile(file) as archive:
            return _workbook(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, OSError):
        _refuse(_("The file is damaged: it cannot be unpacked. Save it again and retry."))
    except RuntimeError:
        # What zipfile raises for a member that is encrypted.
        _refuse(_("The file is protected by a password. Save it without one."))


def _refuse(message: str) -> NoReturn:
    raise ReadError(message) from None


def _refuse_ole(file: BinaryIO) -> NoReturn:
    if _ENCRYPTED in file.read():
        _refuse(_("The workbook is protected by a password. Save it without one."))
    _refuse(_("This is an old .xls workbook. Save it as .xlsx and upload that."))


def _workbook(archive: zipfile.ZipFile) -> Inspection:
    members = archive.infolist()
    _check_directory(members)
    names = {member.filename for member in members}
    if "xl/workbook.bin" in names:
        _refuse(_("This is a binary workbook (.xlsb). Save it as .xlsx and upload that."))
    if "mimetype" in names:
        _refuse(_("This is an OpenDocument sheet. Save it as .xlsx or .csv and upload that."))
    if "xl/workbook.xml" not in names:
        _refuse(_("This is not a spreadsheet: the archive holds no workbook."))
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        _refuse(_("The workbook holds macros. Save it as .xlsx without them."))
    paths = _sheet_paths(archive)
    seen = {path: SheetNotes() for path in paths.values()}
    _check_members(archive, seen)
    return Inspection("xlsx", {name: seen[path] for name, path in paths.items()})


def _check_directory(members: list[zipfile.ZipInfo]) -> None:
    """Refuse by what the archive says about itself; the real sizes are counted later."""
    if len(members) > MAX_MEMBERS:
        _refuse(_("The workbook has too many parts."))
    if len({member.filename for member in members}) != len(members):
        _refuse(_("The workbook is damaged: it holds a part twice."))
    for member in members:
        steps = member.filename.replace("\\", "/").split("/")
        if steps[0] == "" or ".." in steps or ":" in steps[0]:
            _refuse(_("The workbook is not safe to open: a part points outside of it."))
        _check_size(member.file_size, member.compress_size)
    if sum(member.file_size for member in members) > MAX_INFLATED:
        _refuse(_("The workbook is too large when unpacked."))


def _check_size(inflated: int, stored: int) -> None:
    if inflated > MAX_MEMBER:
        _refuse(_("The workbook is too large when unpacked."))
    if inflated > RATIO_FLOOR and inflated > MAX_RATIO * max(stored, 1):
        _refuse(_("The workbook is not safe to open: it unpacks to far more than it holds."))


def _sheet_paths(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return name -> member path of each worksheet, in the order of the workbook."""
    targets: dict[str, str] = {}
    names: dict[str, str] = {}

    def relation(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "Relationship" and attributes.get("Type", "").endswith(_SHEET_TYPES):
            base = "" if attributes.get("Target", "").startswith("/") else "xl"
            target = posixpath.normpath(posixpath.join(base, attributes["Target"].lstrip("/")))
            targets[attributes.get("Id", "")] = target

    def sheet(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "sheet":
            identity = [value for key, value in attributes.items() if key.endswith(":id")]
            names[attributes.get("name", "")] = identity[0] if identity else ""

    known = set(archive.namelist())
    if "xl/_rels/workbook.xml.rels" in known:
        _parse(archive, "xl/_rels/workbook.xml.rels", relation)
    _parse(archive, "xl/workbook.xml", sheet)
    return {name: targets[key] for name, key in names.items() if targets.get(key) in known}


def _check_members(archive: zipfile.ZipFile, seen: dict[str, SheetNotes]) -> None:
    """Read every member through: real sizes, no DTD anywhere, cell extents of the sheets."""
    total = 0
    for member in archive.infolist():
        path = member.filename
        if path in seen:
            watch = _SheetWatch(seen[path])
            total += _parse(archive, path, watch)
            watch.finish()
        elif path.lower().endswith((".xml", ".rels", ".vml")):
            total += _parse(archive, path, None)
        else:
            total += sum(len(block) for block in _blocks(archive, path))
        if total > MAX_INFLATED:
            _refuse(_("The workbook is too large when unpacked."))


def _blocks(archive: zipfile.ZipFile, path: str) -> Iterator[bytes]:
    """Yield the content in blocks, refusing by the bytes that really come out."""
    stored = archive.getinfo(path).compress_size
    size = 0
    with archive.open(path) as member:
        while block := member.read(_BLOCK):
            size += len(block)
            _check_size(size, stored)
            yield block


def _parse(
    archive: zipfile.ZipFile, path: str, start: Callable[[str, dict[str, str]], None] | None
) -> int:
    """Run the XML member through expat and return its size; a DTD is refused at its first sign."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    if start is not None:
        parser.StartElementHandler = start
    if isinstance(start, _SheetWatch):
        start.parser = parser
    size = 0
    try:
        for block in _blocks(archive, path):
            size += len(block)
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError:
        _refuse(_("The file is damaged: a part of it is not readable."))
    return size


def _local(name: str) -> str:
    """Strict and transitional workbooks differ in prefixes; local names are the same."""
    return name.rpartition(":")[2]


def _refuse_doctype(*_arguments: object) -> NoReturn:
    raise ReadError(_("The workbook is not safe to open: it declares entities."))


class _SheetWatch:
    """Follows the cells of one sheet: where values are, and which cells hold an error or nothing.

    A cell that only has a style does not count: templates are often styled to the last row.
    """

    __slots__ = ("_column", "_formula", "_notes", "_row", "_text", "parser")

    def __init__(self, notes: SheetNotes) -> None:
        self.parser: expat.XMLParserType | None = None
        self._text = False
        self._notes = notes
        self._row = 0
        self._column = 0
        self._formula: tuple[int, int] | None = None

    def __call__(self, name: str, attributes: dict[str, str]) -> None:
        if ":" in name:
            name = _local(name)
        if name == "c":
            self._cell(attributes)
        elif name in {"v", "is"}:
            if self._formula is not None:
                self._await_value()
            self._extend()
        elif name == "row":
            self._settle()
            self._row = _whole(attributes.get("r"), self._row + 1)
            self._column = 0
        elif name == "f":
            self._formula = (self._row, self._column)
            self._extend()

    def _cell(self, attributes: dict[str, str]) -> None:
        if self._formula is not None:
            self._settle()
        reference = attributes.get("r")
        if reference is None:
            self._column += 1
        else:
            self._row, self._column = position(reference)
        kind = attributes.get("t")
        self._text = kind == "str"
        if kind == "e":
            self._note((self._row, self._column), ERROR_CELL)

    def _await_value(self) -> None:
        """A formula has a value when its <v> holds anything; an empty text is a value too."""
        if self._text or self.parser is None:
            self._formula = None
        else:
            self.parser.CharacterDataHandler = self._value

    def _value(self, _data: str) -> None:
        self._formula = None
        if self.parser is not None:
            self.parser.CharacterDataHandler = None

    def _extend(self) -> None:
        notes = self._notes
        if self._row > notes.rows or self._column > notes.columns:
            notes.rows = max(notes.rows, self._row)
            notes.columns = max(notes.columns, self._column)
            _check_extent(notes)

    def finish(self) -> None:
        """Note what the last cell left open."""
        self._settle()

    def _settle(self) -> None:
        """Note a formula that passed without a value."""
        if self._formula is not None:
            where, self._formula = self._formula, None
            if self.parser is not None:
                self.parser.CharacterDataHandler = None
            self._note(where, NO_STORED_VALUE)

    def _note(self, where: tuple[int, int], code: str) -> None:
        if len(self._notes.errors) < MAX_NOTES:
            self._notes.errors.setdefault(where, code)


def _check_extent(notes: SheetNotes) -> None:
    """Refuse an area that the reader could not hold: it fills the whole rectangle."""
    too_many = notes.rows * notes.columns > MAX_CELLS
    if notes.rows > MAX_ROWS or notes.columns > MAX_COLUMNS or too_many:
        _refuse(
            _("A sheet is too large: at most %(rows)s rows and %(columns)s columns.")
            % {"rows": f"{MAX_ROWS:,}", "columns": MAX_COLUMNS}
        )


def _whole(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or len(text) > _LONGEST_ROW_NUMBER:
        _refuse(_("The file is damaged: a row has no proper number."))
    return int(text)


def position(reference: str) -> tuple[int, int]:
    """Return (row, column), both from 1, of a reference like "AB12"; ReadError if it is none."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        _refuse(_("The file is damaged: a cell has no proper address."))
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]), column


def letters(column: int) -> str:
    """Return the letters of a column counted from 1 (28 -> "AB")."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
