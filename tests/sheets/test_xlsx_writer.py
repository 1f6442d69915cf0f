"""Workbooks that are written while rows come in: what is in them is what went in."""

import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from backoffice.masking.masks import phone
from backoffice.masking.values import Sealed
from backoffice.sheets.exporting import xlsx_writer
from tests.sheets.hostile_texts import HOSTILE, read_rows, texts

# What no cell says as it is: XML has no way for these two, and calamine none for their escapes.
LOST = "\ufffe\uffff"


def made(rows: list[list[Any]], heads: tuple[str, ...] = ("a", "b"), name: str = "rows") -> bytes:
    return b"".join(xlsx_writer.stream(name, heads, rows))


def read(content: bytes, sheet: int = 0) -> list[list[Any]]:
    return list(
        CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_index(sheet).to_python()
    )


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(texts(without=LOST), min_size=20, max_size=60))
def test_every_text_comes_back_as_it_was(tmp_path: Path, values: list[str]) -> None:
    content = made([["x", value] for value in [*values, *HOSTILE]])
    rows = read_rows(tmp_path, content)[1:]
    assert [row[1] if len(row) > 1 else "" for row in rows] == [*values, *HOSTILE]


def test_text_is_text_to_openpyxl_and_marked_where_it_looks_like_a_formula() -> None:
    sheet = load_workbook(BytesIO(made([[text, "x"] for text in HOSTILE]))).active
    assert sheet is not None
    cells = [row[0] for row in sheet.iter_rows(min_row=2) if row[0].value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    marked = {str(cell.value)[0] for cell in cells if cell.quotePrefix}
    assert marked == {*"=+-@'", "\t", "\r", "\n"}


def test_values_keep_their_kinds() -> None:
    at = datetime(2011, 12, 9, 12, 50, 1, 250_000, tzinfo=UTC)
    row = [True, False, 7, 22.5, Decimal("22.70"), date(2024, 2, 29), at, None, ""]
    (cells,) = read(made([row], heads=tuple("abcdefghi")))[1:]
    naive = at.replace(tzinfo=None)
    assert cells == [True, False, 7.0, 22.5, 22.7, date(2024, 2, 29), naive, "", ""]
    sheet = load_workbook(BytesIO(made([row], heads=tuple("abcdefghi")))).active
    assert sheet is not None
    assert [sheet.cell(2, n).data_type for n in (1, 3, 5, 6, 7)] == ["b", "n", "n", "d", "d"]


@pytest.mark.parametrize(
    "value",
    [
        10**15,
        -(10**15),
        Decimal("1234567890123.456"),
        float("inf"),
        date(1900, 2, 28),
        Decimal("NaN"),
    ],
)
def test_what_a_cell_would_round_or_refuse_is_text(value: object) -> None:
    assert read(made([[value, 1]]))[1][0] == str(value)


def test_masked_value_is_its_mask() -> None:
    clear = "+44 20 7946 0958"
    content = made([[Sealed(phone(clear), clear), 1]])
    assert read(content)[1][0] == phone(clear)
    with zipfile.ZipFile(BytesIO(content)) as book:
        assert all(clear.encode() not in book.read(name) for name in book.namelist())


def test_head_is_bold_and_stays_in_sight() -> None:
    sheet = load_workbook(BytesIO(made([[1, 2]], heads=("=a", "b")))).active
    assert sheet is not None
    assert (sheet["A1"].value, sheet["A1"].font.b, sheet.freeze_panes) == ("=a", True, "A2")


@pytest.mark.parametrize("count", [0, 4, 5, 9, 10, 11])
def test_full_sheet_is_followed_by_another(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(xlsx_writer, "MOST_ROWS", 6)
    monkeypatch.setattr(xlsx_writer, "BATCH", 3)
    book = CalamineWorkbook.from_filelike(BytesIO(made([[n, "x"] for n in range(count)])))
    sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    assert all(sheet[0] == ["a", "b"] and len(sheet) <= 6 for sheet in sheets)
    assert [row[0] for sheet in sheets for row in sheet[1:]] == list(range(count))
    assert len(sheets) == max(1, -(-count // 5))
    assert book.sheet_names[:2] == ["rows", "rows (2)"][: len(sheets)]


def test_sheet_ends_before_its_size_needs_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_writer, "MOST_BYTES", 100)
    monkeypatch.setattr(xlsx_writer, "BATCH", 2)
    book = CalamineWorkbook.from_filelike(BytesIO(made([["x" * 50, n] for n in range(6)])))
    assert len(book.sheet_names) == 3


def test_archive_of_many_gigabytes_has_a_directory_of_64_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The place of a member behind 4 GiB is told in 64 bits; here 1000 bytes are as many."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    monkeypatch.setattr(xlsx_writer, "MOST_BYTES", 200)
    monkeypatch.setattr(xlsx_writer, "BATCH", 1)
    content = made([["x", n] for n in range(6)])
    assert b"PK\x06\x06" in content  # the end of a directory of 64 bits
    book = CalamineWorkbook.from_filelike(BytesIO(content))
    rows = [row for n in range(len(book.sheet_names))
            for row in book.get_sheet_by_index(n).to_python()[1:]]  # fmt: skip
    assert rows == [["x", n] for n in range(6)]


def test_text_longer_than_a_cell_is_cut_and_named() -> None:
    most = xlsx_writer.MOST_TEXT
    content = made([["x" * most, "short"], ["y" * (most + 1), "\N{GRINNING FACE}" * most]])
    book = CalamineWorkbook.from_filelike(BytesIO(content))
    assert book.sheet_names == ["rows", "Notes"]
    whole, cut = book.get_sheet_by_index(0).to_python()[1:]
    assert whole[0] == "x" * most
    assert (cut[0], cut[1]) == ("y" * most, "\N{GRINNING FACE}" * (most // 2))
    told = [row[0] for row in book.get_sheet_by_name("Notes").to_python()[1:]]
    assert told == [
        "2 texts were longer than a cell can hold (32,767 characters) and are cut.",
        "Sheet 1, row 3: 32,768 characters",
        "Sheet 1, row 3: 65,534 characters",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a/b[c]:d*e?f\\g", "a b c  d e f g"),
        ("'quoted'", "quoted"),
        ("history", "history 1"),
        ("", "Sheet"),
        ("x" * 40, "x" * 31),
    ],
)
def test_sheet_has_a_name_that_excel_takes(name: str, told: str) -> None:
    assert xlsx_writer.sheet_name(name) == told
    assert xlsx_writer.sheet_name("x" * 40, 12) == f"{'x' * 26} (12)"


def test_bytes_leave_before_the_first_row_is_asked_for() -> None:
    asked = []

    def rows() -> Iterator[list[int]]:
        for number in range(3000):
            asked.append(number)
            yield [number, number]

    parts = xlsx_writer.stream("rows", ("a", "b"), rows())
    assert next(parts).startswith(b"PK")
    assert asked == []


def test_parts_leave_while_rows_come() -> None:
    asked = []

    def rows() -> Iterator[list[str]]:
        for number in range(40_000):
            asked.append(number)
            yield [f"{number * 7919 % 40_009:x}" * 3, str(number)]

    parts = xlsx_writer.stream("rows", ("a", "b"), rows())
    next(parts)
    next(parts)
    assert len(asked) < 20_000
    assert max(map(len, parts)) < 4 * xlsx_writer.CHUNK
