"""Files that must not reach a library, and files that must."""

import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest

from backoffice.sheets import guard
from backoffice.sheets.errors import ReadError
from tests.sheets.made import SHARED, archive, book, line

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


def inspect(content: bytes, folder: Path) -> guard.Inspection:
    path = folder / "file"
    path.write_bytes(content)
    return guard.inspect(path)


def refused(content: bytes, folder: Path) -> str:
    with pytest.raises(ReadError) as error:
        inspect(content, folder)
    return str(error.value)


def test_workbook_is_measured_by_its_values(tmp_path: Path) -> None:
    found = inspect(book([line()] * 3, [line()]), tmp_path)
    assert found.kind == "xlsx"
    assert {name: (one.rows, one.columns) for name, one in found.sheets.items()} == {
        "A": (4, 8),
        "B": (2, 8),
    }


def test_cells_that_only_have_a_style_do_not_count(tmp_path: Path) -> None:
    sheet = cells('<c r="A1"><v>1</v></c>', '<c r="XFD1048576" s="1"/>')
    assert inspect(xlsx(sheet), tmp_path).sheets["S"].rows == 1


@pytest.mark.parametrize("far", ["XFD1048576", "A200001", "SG1"])
def test_cell_far_away_is_refused(far: str, tmp_path: Path) -> None:
    sheet = cells('<c r="A1"><v>1</v></c>', f'<c r="{far}"><v>1</v></c>')
    assert "too large" in refused(xlsx(sheet), tmp_path)


def test_wide_rectangle_is_refused_though_each_side_is_allowed(tmp_path: Path) -> None:
    sheet = cells('<c r="SF1"><v>1</v></c>', '<c r="A200000"><v>1</v></c>')
    assert "too large" in refused(xlsx(sheet), tmp_path)


def test_cells_without_addresses_are_counted(tmp_path: Path) -> None:
    found = inspect(xlsx(cells("<c><v>1</v></c>", "<c><v>2</v></c>")), tmp_path)
    assert (found.sheets["S"].rows, found.sheets["S"].columns) == (1, 2)


def test_broken_address_is_refused(tmp_path: Path) -> None:
    assert "address" in refused(xlsx(cells('<c r="1A"><v>1</v></c>')), tmp_path)


@pytest.mark.parametrize(
    "doctype",
    [
        b'<!DOCTYPE a [<!ENTITY b "cc">]>',
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname">',
    ],
)
def test_document_types_are_refused_in_every_part(doctype: bytes, tmp_path: Path) -> None:
    sheet = cells('<c r="A1"><v>1</v></c>')
    assert "entities" in refused(xlsx(doctype + sheet), tmp_path)
    shared = xlsx(sheet, {"xl/sharedStrings.xml": doctype + b"<sst/>"})
    assert "entities" in refused(shared, tmp_path)


def test_sheet_that_inflates_is_refused(tmp_path: Path) -> None:
    content = xlsx(cells(f'<c r="A1"><v>{"1" * 40_000_000}</v></c>'))
    assert len(content) < 100_000
    assert "unpacks" in refused(content, tmp_path)


def test_forged_size_does_not_help(tmp_path: Path) -> None:
    content = bytearray(xlsx(cells(f'<c r="A1"><v>{"1" * 40_000_000}</v></c>')))
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"sheet1.xml"))
    content[at + 24 : at + 28] = struct.pack("<I", 1000)
    assert "damaged" in refused(bytes(content), tmp_path)


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    parts = {f"part{number}": b"" for number in range(guard.MAX_MEMBERS)}
    assert "too many" in refused(xlsx(cells(), parts), tmp_path)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "xl/../../evil", "C:\\evil"])
def test_paths_that_lead_outside_are_refused(name: str, tmp_path: Path) -> None:
    file = BytesIO(xlsx(cells()))
    with zipfile.ZipFile(file, "a") as target:
        target.writestr(name, b"")
    assert "outside" in refused(file.getvalue(), tmp_path)


def test_macros_are_refused(tmp_path: Path) -> None:
    assert "macros" in refused(xlsx(cells(), {"xl/vbaProject.bin": b"x"}), tmp_path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 and nothing more", "damaged"),
        (archive({"hello": b"x"}), "not a spreadsheet"),
        (archive({"mimetype": b"x", "content.xml": b"<a/>"}), "OpenDocument"),
        (archive({"xl/workbook.bin": b"x"}), ".xlsb"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old .xls"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "password",
        ),
    ],
)
def test_other_files_are_named(content: bytes, word: str, tmp_path: Path) -> None:
    assert word in refused(content, tmp_path)


def test_errors_and_formulas_without_value_are_noted(tmp_path: Path) -> None:
    sheet = cells(
        '<c r="A1" t="e"><v>#N/A</v></c>',
        '<c r="B1"><f>1+1</f><v/></c>',
        '<c r="C1"><f>1+1</f><v>2</v></c>',
        '<c r="D1" t="str"><f>""</f><v></v></c>',
        '<c r="E1"><f>1+1</f></c>',
    )
    assert inspect(xlsx(sheet), tmp_path).sheets["S"].errors == {
        (1, 1): guard.ERROR_CELL,
        (1, 2): guard.NO_STORED_VALUE,
        (1, 5): guard.NO_STORED_VALUE,
    }


ATTACKS = {
    "laughs.xlsx": True, "quad.xlsx": True, "sparse.xlsx": True, "sparse14M.xlsx": True,
    "repeat.ods": True, "normal.xlsx": False, "dim.xlsx": False, "formula.xlsx": False,
}  # fmt: skip


@pytest.mark.skipif(not (SHARED / "attack").is_dir(), reason="needs ../shared/data/attack")
@pytest.mark.parametrize("name", ATTACKS)
def test_known_attacks(name: str) -> None:
    try:
        guard.inspect(SHARED / "attack" / name)
        stopped = False
    except ReadError:
        stopped = True
    assert stopped == ATTACKS[name]


@pytest.mark.parametrize("column", [1, 26, 27, 52, 703, 16384])
def test_letters_and_positions_agree(column: int) -> None:
    assert guard.position(f"{guard.letters(column)}7") == (7, column)
