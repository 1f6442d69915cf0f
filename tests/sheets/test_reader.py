"""Rows out of files, by way of the child process."""

from datetime import datetime
from pathlib import Path

import pytest

from backoffice.sheets.errors import ReadError
from backoffice.sheets.reading import reader
from backoffice.sheets.reading.reader import CellError
from tests.sheets.made import AT, FIXTURE, book, line
from tests.sheets.test_guard import cells, xlsx


def write(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def test_rows_keep_their_types_and_numbers(tmp_path: Path) -> None:
    rows = list(reader.rows(write(tmp_path, book([line(), [], line(price=2.95)]))))
    assert [(row.sheet, row.number) for row in rows] == [("A", 1), ("A", 2), ("A", 4)]
    assert rows[1].cells == (600001, 10001, "ENAMEL CUP", 1, AT, 2.5, 12346, "France")
    assert rows[2].cells[5] == 2.95


def test_empty_columns_at_the_left_stay(tmp_path: Path) -> None:
    rows = list(reader.rows(write(tmp_path, book([[None, None, "x"]], head=["", "", "h"]))))
    assert [row.cells for row in rows] == [(None, None, "h"), (None, None, "x")]


def test_chosen_sheets_only(tmp_path: Path) -> None:
    path = write(tmp_path, book([line()], [line(), line()]))
    assert {row.sheet for row in reader.rows(path, sheets=["B"])} == {"B"}


def test_outline_counts_all_rows_and_shows_the_first() -> None:
    _inspection, sheets, notes = reader.outline(FIXTURE, limit=3)
    assert [(one.name, one.hidden, one.rows, one.columns) for one in sheets] == [
        ("Year 2009-2010", False, 14270, 8),
        ("Year 2010-2011", False, 20498, 8),
    ]
    assert len(sheets[0].head) == 3
    assert notes == []


def test_error_cell_is_no_blank(tmp_path: Path) -> None:
    sheet = cells('<c r="A1"><v>1</v></c>', '<c r="C1" t="e"><v>#N/A</v></c>')
    (row,) = reader.rows(write(tmp_path, xlsx(sheet)))
    assert row.cells == (1, None, CellError("error-cell"))


def test_row_of_errors_alone_is_not_lost(tmp_path: Path) -> None:
    (row,) = reader.rows(write(tmp_path, xlsx(cells('<c r="A1" t="e"><v>#N/A</v></c>'))))
    assert row.cells == (CellError("error-cell"),)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'a,b\r\n1,"x\ny"\r\n', [("a", "b"), ("1", "x\ny")]),
        ("\ufeffa;b\n1;ü\n".encode(), [("a", "b"), ("1", "ü")]),
        ("a\tb\n1\t2\n".encode("utf-16"), [("a", "b"), ("1", "2")]),
    ],
)
def test_csv_is_sniffed(content: bytes, rows: list[tuple[str, ...]], tmp_path: Path) -> None:
    assert [row.cells for row in reader.rows(write(tmp_path, content))] == rows


def test_csv_in_another_encoding_is_read_and_said(tmp_path: Path) -> None:
    path = write(tmp_path, "name,price\ncafé,1\n".encode("cp1252"))
    _inspection, (sheet,), notes = reader.outline(path)
    assert sheet.head[1].cells == ("café", "1")
    assert len(notes) == 1


def test_binary_rubbish_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="neither"):
        list(reader.rows(write(tmp_path, bytes(range(256)) * 40)))


def test_csv_keeps_every_row_of_a_long_file(tmp_path: Path) -> None:
    lines = "".join(f"{number},x\n" for number in range(100))
    rows = list(reader.rows(write(tmp_path, lines.encode())))
    assert [row.cells[0] for row in rows] == [str(number) for number in range(100)]


def test_slow_child_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(reader, "CHILD", sleeper)
    started = datetime.now()  # noqa: DTZ005 - a span
    with pytest.raises(ReadError, match="too long"):
        list(reader.rows(write(tmp_path, b"a,b\n"), seconds=1))
    assert (datetime.now() - started).total_seconds() < 20  # noqa: DTZ005


def test_child_has_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "spy.py"
    spy.write_text(
        "import json, os\nprint(json.dumps({'sheet': ' '.join(os.environ)}))\n"
        "print('{\"done\": true}')\n"
    )
    monkeypatch.setattr(reader, "CHILD", spy)
    monkeypatch.setenv("BACKOFFICE_SECRET_KEY", "secret")
    _inspection, (sheet,), _notes = reader.outline(write(tmp_path, b"a,b\n"))
    assert "BACKOFFICE" not in sheet.name


def test_large_sheet_is_read_in_slices_and_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line(number, description="a: <b> & c" if number % 7 else "") for number in range(9000)]
    lines[5000:5000] = [[], [None], []]
    path = write(tmp_path, book(lines, lines[:50]))
    whole = list(reader.rows(path))
    before = [(one.rows, one.columns, one.blank) for one in reader.outline(path)[1]]
    monkeypatch.setattr(reader, "SLICE", 400_000)
    assert list(reader.rows(path)) == whole
    assert [(one.rows, one.columns, one.blank) for one in reader.outline(path)[1]] == before
    assert before == [(9001, 8, 3), (51, 8, 0)]
