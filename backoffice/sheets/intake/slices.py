"""Large sheets of an Open XML workbook, a slice of their rows at a time.

The library holds the whole rectangle of a sheet. So a large sheet is given to it as several small
workbooks, which differ from the file in nothing but the rows that they hold: the memory that is
needed does not grow with the file.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Final

from backoffice.sheets.intake.archives import Meter
from backoffice.sheets.intake.bounds import refuse
from backoffice.sheets.intake.xlsx import parts, sheet_paths

_ROOT: Final = re.compile(rb"<((?:\w+:)?worksheet)[\s>]")
_DATA: Final = re.compile(rb"<((?:\w+:)?sheetData)[\s>]")
_FIRST: Final = re.compile(rb'<row r="[1-9][0-9]{0,6}"[^<>]*>\s*<c r="')


def large(meter: Meter, name: str, size: int) -> str | None:
    """Return the path of the sheet if it is larger than two slices of `size` and can be cut."""
    path = sheet_paths(meter).get(name)
    if path is None or meter.archive.getinfo(path).file_size <= 2 * size:
        return None
    for rows, is_rows in parts(meter.blocks(path)):
        if is_rows:
            return path if _FIRST.match(rows) else None
    return None


def workbooks(meter: Meter, path: str, size: int) -> Iterator[io.BytesIO]:
    """Yield workbooks whose sheet at `path` holds some of its rows, about `size` bytes of them.

    Raises RefusedError for rows that do not say where they stand: they cannot be cut.
    """
    others = {
        name: meter.archive.read(name)
        for name in sorted(meter.names - set(sheet_paths(meter).values()))
        if name.endswith((".xml", ".rels"))
    }
    head, begun = b"", False
    held: list[bytes] = []
    for rows, is_rows in parts(meter.blocks(path)):
        if not is_rows:
            head += b"" if begun else rows
            continue
        begun = True
        if not held and not _FIRST.match(rows):
            refuse("damaged")
        held.append(rows)
        if sum(map(len, held)) >= size:
            made, held = _workbook(others, path, head, held), []
            yield made
    if held:
        yield _workbook(others, path, head, held)


def _workbook(others: dict[str, bytes], path: str, head: bytes, held: list[bytes]) -> io.BytesIO:
    root, data = _ROOT.search(head), _DATA.search(head)
    if root is None or data is None:
        refuse("damaged")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as made:
        for name, content in others.items():
            made.writestr(name, content)
        with made.open(path, "w", force_zip64=True) as sheet:
            sheet.write(head)
            for rows in held:
                sheet.write(rows)
            sheet.write(b"</" + data[1] + b"></" + root[1] + b">")
    file.seek(0)
    return file
