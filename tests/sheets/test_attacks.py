"""Files that are made to do harm: each is refused, in little time and memory, and nothing leaks."""

import json
from io import BytesIO
from pathlib import Path
from struct import pack
from zipfile import ZipFile

import pytest

from backoffice.sheets.errors import ReadError
from backoffice.sheets.reading import reader
from tests.sheets import hostile
from tests.sheets.made import archive
from tests.sheets.shared_data import shared
from tests.sheets.test_guard import MAIN, cells, xlsx

SHEET = "xl/worksheets/sheet1.xml"
HEAD = f'<worksheet xmlns="{MAIN}"><sheetData>'.encode()
TAIL = b"</sheetData></worksheet>"
TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def stopped(path: Path) -> str:
    """Return the code of the refusal, given in five seconds and 300 MB."""
    told = hostile.measured(path)
    assert told.seconds < hostile.SECONDS
    assert told.megabytes < hostile.MEGABYTES
    return told.refused


def ods(body: str) -> bytes:
    """Return a workbook whose only table has these rows."""
    content = (
        f'<office:document-content xmlns:office="{OFFICE}" xmlns:table="{TABLE}" '
        f'xmlns:text="{TEXT}"><office:body><office:spreadsheet>'
        f'<table:table table:name="S">{body}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return archive({"mimetype": kind, "content.xml": content.encode()})


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("laughs.xlsx", "entities"), ("quad.xlsx", "entities"), ("sparse.xlsx", "extent"),
        ("sparse14M.xlsx", "extent"), ("repeat.ods", "extent"),
        ("normal.xlsx", ""), ("dim.xlsx", ""), ("formula.xlsx", ""),
    ],
)  # fmt: skip
def test_known_attack_is_refused_and_its_controls_are_not(name: str, code: str) -> None:
    assert stopped(shared(f"attack/{name}")) == code


def test_declared_extent_is_not_believed() -> None:
    _inspection, (sheet,), _notes = reader.outline(shared("attack/dim.xlsx"))
    assert (sheet.rows, sheet.columns) == (2, 3)


def test_texts_like_formulas_are_read_as_they_stand() -> None:
    _inspection, (sheet,), _notes = reader.outline(shared("attack/formula.xlsx"))
    texts = [cell for row in sheet.head for cell in row.cells if isinstance(cell, str)]
    assert texts == ["cached", "=cmd|'/c calc'!A0"]


def wrapped(bomb: bytes) -> bytes:
    """Return the bomb with the other members of a workbook beside it."""
    file = BytesIO(bomb)
    with ZipFile(file, "a") as target, ZipFile(BytesIO(xlsx(cells()))) as source:
        for name in source.namelist():
            if name != SHEET:
                target.writestr(name, source.read(name))
    return file.getvalue()


def test_sheet_of_a_gigabyte_in_a_megabyte(tmp_path: Path) -> None:
    row = b'<row r="1"><c r="A1"><v>1</v></c></row>'
    content = wrapped(hostile.bomb(SHEET, HEAD, row * 26000, 1024, TAIL))
    assert len(content) < 4_000_000
    assert stopped(written(tmp_path, content)) == "ratio"


def test_cell_of_512_megabytes(tmp_path: Path) -> None:
    head = HEAD + b'<row r="1"><c r="A1" t="inlineStr"><is><t>'
    tail = b"</t></is></c></row>" + TAIL
    content = wrapped(hostile.bomb(SHEET, head, b"A" * 1024**2, 512, tail))
    assert len(content) < 1_000_000
    assert stopped(written(tmp_path, content)) == "ratio"


@pytest.mark.parametrize("tag", ["t", "v"])
def test_cell_longer_than_any_program_writes(tag: str, tmp_path: Path) -> None:
    text = "".join(f"{number:x}" for number in range(700_000))
    assert stopped(written(tmp_path, xlsx(cells(f'<c r="A1"><{tag}>{text}</{tag}></c>')))) == (
        "long-text"
    )


@pytest.mark.parametrize("size", [1000, 0])
def test_forged_sizes(size: int, tmp_path: Path) -> None:
    row = b'<row r="1"><c r="A1"><v>1</v></c></row>'
    content = bytearray(wrapped(hostile.bomb(SHEET, HEAD, row * 26000, 128, TAIL)))
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(SHEET.encode()))
    content[at + 24 : at + 28] = pack("<I", size)
    assert stopped(written(tmp_path, bytes(content))) == "unpack"


def test_external_entity_does_not_open_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary-of-the-file")
    entity = f'<!DOCTYPE a [<!ENTITY b SYSTEM "{secret.as_uri()}">]>'.encode()
    sheet = cells('<c r="A1" t="inlineStr"><is><t>&b;</t></is></c>')
    path = written(tmp_path, xlsx(entity + sheet))
    told = hostile.measured(path)
    assert (told.refused, "canary" in json.dumps(told.last)) == ("entities", False)


def test_macros_are_told_and_never_run(tmp_path: Path) -> None:
    content = xlsx(cells('<c r="A1"><v>7</v></c>'), {"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"})
    inspection, (sheet,), (note,) = reader.outline(written(tmp_path, content))
    assert (inspection.macros, sheet.head[0].cells) == (True, (7,))
    assert "macros" in note


def test_member_that_points_outside_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    file = BytesIO(xlsx(cells()))
    with ZipFile(file, "a") as target:
        target.writestr("../../evil.xml", b"<a/>")
    assert stopped(written(folder, file.getvalue())) == "outside"
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["file", "in"]


@pytest.mark.parametrize(
    "sheet",
    [
        # The same far cell, each time in words that a plain look does not see.
        (f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row><x:c r="XFD1048576"><x:v>1</x:v></x:c>'
        "</x:row></x:sheetData></x:worksheet>"),
        (f'<worksheet xmlns="{MAIN}" xmlns:x="{MAIN}"><sheetData><row r="1"><x:c r="XFD1048576">'
        "<x:v>1</x:v></x:c></row></sheetData></worksheet>"),
        (f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="&#88;FD1048576"><v>1</v></c></row>'
        "</sheetData></worksheet>"),
        (f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c s="1" r="XFD1048576"><v>1</v></c>'
        "</row></sheetData></worksheet>"),
        (f"<worksheet xmlns='{MAIN}'><sheetData><row r='1'><c\tr='XFD1048576'><v>1</v></c></row>"
        "</sheetData></worksheet>"),
        (f'<worksheet xmlns="{MAIN}"><sheetData><row r="1048576"><c t="/>"><v>1</v></c>'
        '<c r="BXX2"><v>1</v></c></row></sheetData></worksheet>'),
        (f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v></c>'
        '<!-- --><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_far_cell_is_found_however_it_is_written(sheet: str, encoding: str, tmp_path: Path) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    content = xlsx((head + sheet).encode(encoding))
    assert stopped(written(tmp_path, content)) == "extent"


@pytest.mark.parametrize(
    "body",
    [
        (
            '<table:table-row table:number-rows-repeated="1000000000"><table:table-cell '
            'office:value-type="float" office:value="1"/></table:table-row>'
        ),
        (
            '<table:table-row><table:table-cell office:value-type="float" office:value="1" '
            'table:number-columns-repeated="16384"/></table:table-row>'
        ),
        (
            '<table:table-row table:number-rows-repeated="1048575"><table:table-cell/>'
            "</table:table-row><table:table-row>"
            '<table:table-cell table:number-columns-repeated="99"/>'
            "<table:table-cell><text:p>x</text:p></table:table-cell></table:table-row>"
        ),
    ],
)
def test_repeats_of_content_are_multiplied(body: str, tmp_path: Path) -> None:
    assert stopped(written(tmp_path, ods(body))) == "extent"


def test_repeats_of_nothing_are_harmless(tmp_path: Path) -> None:
    body = (
        '<table:table-row><table:table-cell office:value-type="float" office:value="1"/>'
        '<table:table-cell table:number-columns-repeated="16383"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048575">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )
    assert stopped(written(tmp_path, ods(body))) == ""


def test_protected_ods_is_named(tmp_path: Path) -> None:
    manifest = b'<m:manifest xmlns:m="m"><m:encryption-data/></m:manifest>'
    members = {"mimetype": b"x", "content.xml": b"\x01\x02", "META-INF/manifest.xml": manifest}
    assert stopped(written(tmp_path, archive(members))) == "password"


def test_far_cell_of_an_old_workbook(tmp_path: Path) -> None:
    content = hostile.compound(hostile.biff((0, 0), (65535, 255)))
    assert stopped(written(tmp_path, content)) == "extent"


def test_old_workbook_that_is_honest_is_read(tmp_path: Path) -> None:
    content = hostile.compound(hostile.biff((0, 0), (2, 1)))
    _inspection, (sheet,), _notes = reader.outline(written(tmp_path, content))
    assert [(row.number, row.cells) for row in sheet.head] == [(1, (1.5,)), (3, (None, 1.5))]


def test_sectors_in_a_circle(tmp_path: Path) -> None:
    content = bytearray(hostile.compound(hostile.biff((0, 0))))
    content[-512:-508] = pack("<I", 0)  # the first sector follows itself
    assert stopped(written(tmp_path, bytes(content))) == "damaged"


def test_document_that_is_no_workbook(tmp_path: Path) -> None:
    content = hostile.compound(b"a letter", name="WordDocument")
    assert stopped(written(tmp_path, content)) == "no-workbook"


def test_far_cell_of_a_binary_workbook(tmp_path: Path) -> None:
    row = pack("<IIHBB", 1048575, 0, 0, 0, 0)
    number = pack("<II", 16383, 0) + pack("<d", 1.0)
    content = archive(hostile.xlsb((0, row), (5, number)))
    assert stopped(written(tmp_path, content)) == "extent"


def test_record_that_is_longer_than_the_file(tmp_path: Path) -> None:
    members = hostile.xlsb((0, pack("<IIHBB", 0, 0, 0, 0, 0)))
    members["xl/worksheets/sheet1.bin"] += b"\x05\xff\xff\x7f"
    assert stopped(written(tmp_path, archive(members))) == "damaged"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'a,b\n1,"' + b"x,\n" * 700_000, "quote"),
        (b"a" + b"," * 100_000 + b"\n", "extent"),
        (b"1\n" * 1_100_001, "extent"),
    ],
)
def test_text_that_is_no_table(content: bytes, code: str, tmp_path: Path) -> None:
    assert stopped(written(tmp_path, content)) == code


def test_larger_file_than_may_be(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.seek(70 * 1024**2)
        file.write(b"x")
    assert stopped(path) == "bytes"


def test_refusal_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="declares entities"):
        list(reader.rows(written(tmp_path, xlsx(b"<!DOCTYPE a []>" + cells()))))
