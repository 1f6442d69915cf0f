"""Files that must not reach a library, and files that must."""

import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO

import pytest

from backoffice.sheets.intake import bounds, kinds
from backoffice.sheets.reading import guard
from tests.sheets.made import archive, book, line

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
WORKBOOK = (
    f'<workbook xmlns="{MAIN}" xmlns:r="{DOCUMENT}"><sheets>'
    '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
)


def relation(kind: str, target: str) -> bytes:
    """Return a file of one relation."""
    return (
        f'<Relationships xmlns="{PACKAGE}">'
        f'<Relationship Id="r1" Type="{DOCUMENT}/{kind}" Target="{target}"/></Relationships>'
    ).encode()


def xlsx(sheet: bytes, more: Mapping[str, bytes] | None = None) -> bytes:
    """Return the smallest workbook around a sheet's XML."""
    return archive(
        {
            "_rels/.rels": relation("officeDocument", "xl/workbook.xml"),
            "xl/workbook.xml": WORKBOOK.encode(),
            "xl/_rels/workbook.xml.rels": relation("worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": sheet,
            **(more or {}),
        }
    )


def cells(*cells: str) -> bytes:
    """Return a sheet with cells in one row."""
    row = f"<row>{''.join(cells)}</row>"
    return f'<worksheet xmlns="{MAIN}"><sheetData>{row}</sheetData></worksheet>'.encode()


def inspect(content: bytes) -> bounds.Inspection:
    return kinds.inspect(BytesIO(content))


def refused(content: bytes) -> str:
    """Return the code of the refusal."""
    with pytest.raises(bounds.RefusedError) as error:
        inspect(content)
    return error.value.code


def test_workbook_is_measured_by_its_values() -> None:
    found = inspect(book([line()] * 3, [line()]))
    assert found.kind == "xlsx"
    assert {name: (one.rows, one.columns) for name, one in found.sheets.items()} == {
        "A": (4, 8),
        "B": (2, 8),
    }


def test_cells_that_only_have_a_style_do_not_count() -> None:
    sheet = cells('<c r="A1"><v>1</v></c>', '<c r="XFD1048576" s="1"/>')
    assert inspect(xlsx(sheet)).sheets["S"].rows == 1


@pytest.mark.parametrize("far", ["XFD1048576", "A1100001", "BXY1"])
def test_cell_far_away_is_refused(far: str) -> None:
    sheet = cells('<c r="A1"><v>1</v></c>', f'<c r="{far}"><v>1</v></c>')
    assert refused(xlsx(sheet)) == "extent"


def test_wide_rectangle_is_refused_though_each_side_is_allowed() -> None:
    sheet = cells('<c r="SF1"><v>1</v></c>', '<c r="A1048576"><v>1</v></c>')
    assert refused(xlsx(sheet)) == "extent"


def test_cells_without_addresses_are_counted() -> None:
    found = inspect(xlsx(cells("<c><v>1</v></c>", "<c><v>2</v></c>")))
    assert (found.sheets["S"].rows, found.sheets["S"].columns) == (1, 2)


def test_broken_address_is_refused() -> None:
    assert refused(xlsx(cells('<c r="1A"><v>1</v></c>'))) == "bad-address"


@pytest.mark.parametrize(
    "doctype",
    [
        b'<!DOCTYPE a [<!ENTITY b "cc">]>',
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname">',
    ],
)
def test_document_types_are_refused_in_every_part(doctype: bytes) -> None:
    sheet = cells('<c r="A1"><v>1</v></c>')
    assert refused(xlsx(doctype + sheet)) == "entities"
    shared = xlsx(sheet, {"xl/sharedStrings.xml": doctype + b"<sst/>"})
    assert refused(shared) == "entities"


def test_sheet_that_inflates_is_refused() -> None:
    content = xlsx(cells(f'<c r="A1"><v>{"1" * 40_000_000}</v></c>'))
    assert len(content) < 100_000
    assert refused(content) == "ratio"


def test_forged_size_does_not_help() -> None:
    content = bytearray(xlsx(cells(f'<c r="A1"><v>{"1" * 40_000_000}</v></c>')))
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"sheet1.xml"))
    content[at + 24 : at + 28] = struct.pack("<I", 1000)
    assert refused(bytes(content)) == "unpack"


def test_too_many_parts_are_refused() -> None:
    parts = {f"part{number}": b"" for number in range(bounds.MAX_MEMBERS)}
    assert refused(xlsx(cells(), parts)) == "members"


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "xl/../../evil", "C:\\evil"])
def test_paths_that_lead_outside_are_refused(name: str) -> None:
    file = BytesIO(xlsx(cells()))
    with zipfile.ZipFile(file, "a") as target:
        target.writestr(name, b"")
    assert refused(file.getvalue()) == "outside"


def test_macros_are_told_and_left_alone() -> None:
    assert inspect(xlsx(cells(), {"xl/vbaProject.bin": b"x"})).macros


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "nothing"),
        (b"PK\x03\x04 and nothing more", "unpack"),
        (archive({"hello": b"x"}), "no-workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "damaged"),
        (bytes(range(256)) * 40, "not-text"),
    ],
)
def test_other_files_are_named(content: bytes, code: str) -> None:
    assert refused(content) == code


def test_errors_and_formulas_without_value_are_noted() -> None:
    sheet = cells(
        '<c r="A1" t="e"><v>#N/A</v></c>',
        '<c r="B1"><f>1+1</f><v/></c>',
        '<c r="C1"><f>1+1</f><v>2</v></c>',
        '<c r="D1" t="str"><f>""</f><v></v></c>',
        '<c r="E1"><f>1+1</f></c>',
    )
    assert inspect(xlsx(sheet)).sheets["S"].errors == {
        (1, 1): guard.ERROR_CELL,
        (1, 2): guard.NO_STORED_VALUE,
        (1, 5): guard.NO_STORED_VALUE,
    }


@pytest.mark.parametrize("column", [1, 26, 27, 52, 703, 16384])
def test_letters_and_positions_agree(column: int) -> None:
    assert guard.position(f"{guard.letters(column)}7") == (7, column)
