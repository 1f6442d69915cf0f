"""How a text is written: guessed, asked where it is not certain, and read as it was confirmed."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.sheets import cells
from backoffice.sheets.errors import ReadError
from backoffice.sheets.reading import dialects, reader, spoken
from backoffice.sheets.reading.dialects import Dialect
from backoffice.sheets.reading.reader import CellError

GERMAN = Dialect("cp1252", ";", '"', ",", ".", "dmy")


def write(folder: Path, content: bytes) -> Path:
    path = folder / "file.csv"
    path.write_bytes(content)
    return path


def guess(folder: Path, content: bytes) -> dialects.Guess:
    found = dialects.guess(write(folder, content))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "fields", "unsure"),
    [
        ("a,b\n1,2.50\n", {"delimiter": ",", "decimal": "."}, set()),
        ("a;b\n1;2,50\n", {"delimiter": ";", "decimal": ","}, set()),
        ("a\tb\n1\t1.234,56\n", {"delimiter": "\t", "decimal": ",", "thousands": "."}, set()),
        ("a|b\n1|1 234,56\n", {"delimiter": "|", "decimal": ",", "thousands": " "}, set()),
        ("a;b\n1;127,768\n", {"decimal": ".", "thousands": ","}, {"decimal"}),
        ("a;b\n1;1.234\n", {"decimal": "."}, {"decimal"}),
        ("a;b\n1,5;2.5\n", {}, {"decimal"}),
        ("a,b\n2011-12-09,x\n", {"dates": "iso"}, set()),
        ("a,b\n31.12.2011,x\n", {"dates": "dmy"}, set()),
        ("a,b\n12/31/2011,x\n", {"dates": "mdy"}, {"dates"}),
        ("a,b\n01-02-13,x\n", {"dates": "dmy"}, {"dates"}),
        ("a,b\n31.12.2011,12/31/2011\n", {}, {"dates"}),
        ("name\nx\ny\n", {"delimiter": ","}, set()),
        ("a;b,c\n1;2,3\n", {}, {"delimiter"}),
        ("'a','b'\n'1','2'\n'3','4'\n", {"quote": "'"}, set()),
    ],
)
def test_guess(text: str, fields: dict[str, str], unsure: set[str], tmp_path: Path) -> None:
    found = guess(tmp_path, text.encode())
    assert {key: found.dialect.as_json()[key] for key in fields} == fields
    assert unsure <= set(found.unsure)
    assert found.certain == (not unsure)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("이름,주소\n김민수,서울특별시 종로구 세종대로\n이영희,부산광역시 해운대구\n", "cp949"),
        ("名前,住所\n山田太郎,東京都千代田区\nサトウ,おおさか市\n", "cp932"),
        ("姓名,地址\n王小明,北京市朝阳区建国路\n李红,上海市黄浦区\n", "gb18030"),
        ("姓名,地址\n王小明,臺北市中正區重慶南路\n李紅,高雄市前鎮區\n", "cp950"),
        ("nom,ville\nHélène,Besançon\nFrançois,Orléans\n", "cp1252"),
        ("Name;Ort\nJürgen Größe;Köln\nÄnne;Düsseldorf\n", "cp1252"),
    ],
)
def test_encoding_is_ranked_first_and_never_certain(
    text: str, encoding: str, tmp_path: Path
) -> None:
    found = guess(tmp_path, text.encode(encoding))
    assert (found.dialect.encoding, "encoding" in found.unsure) == (encoding, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encoding_that_marks_itself_is_certain(encoding: str, tmp_path: Path) -> None:
    found = guess(tmp_path, "a,b\né,1\n".encode(encoding))
    assert (found.dialect.encoding, found.unsure) == (encoding, ())


def test_two_bytes_a_letter_without_a_mark_are_seen(tmp_path: Path) -> None:
    found = guess(tmp_path, "name,city\nanna,paris\n".encode("utf-16-le"))
    assert (found.dialect.encoding, found.unsure) == ("utf-16-le", ("encoding",))


def test_workbook_has_no_dialect() -> None:
    from tests.sheets.made import FIXTURE  # noqa: PLC0415 - it needs the models

    assert dialects.guess(FIXTURE) is None


def test_preview_reads_as_it_is_told(tmp_path: Path) -> None:
    source = write(tmp_path, "a;b\nJürgen;1,5\n".encode("cp1252"))
    assert dialects.preview(source, GERMAN) == [["a", "b"], ["Jürgen", "1,5"]]
    wrong = Dialect("cp1250", ",")
    assert dialects.preview(source, wrong, 1) == [["a;b"]]


def test_wrong_encoding_is_refused_not_swallowed(tmp_path: Path) -> None:
    source = write(tmp_path, "a;b\nJürgen;1,5\n".encode("cp1252"))
    with pytest.raises(ReadError, match="utf-8"):
        list(reader.rows(source, dialect=Dialect("utf-8", ";")))


@pytest.mark.parametrize(
    "values",
    [
        {"encoding": "zip_codec"}, {"delimiter": "x"}, {"quote": "xx"}, {"decimal": ";"},
        {"thousands": "."}, {"dates": "dd"}, {"more": "x"},
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_is_no_dialect(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Dialect.from_json(values)


def test_dialect_survives_the_database() -> None:
    assert Dialect.from_json(GERMAN.as_json()) == GERMAN


def said(read: cells.Reader, dialect: Dialect, text: str) -> object:
    """Return what the reader of a column makes of a text of the dialect."""
    say = spoken.saying(read, dialect)
    return read(say(text) if say else text)


@pytest.mark.parametrize(
    ("text", "dialect", "number"),
    [
        ("-12,34", GERMAN, "-12.34"), ("+5257,28", GERMAN, "5257.28"),
        ("1.234,5", GERMAN, "1234.5"),
        ("\u22123,5", GERMAN, "-3.5"), (",5", GERMAN, "0.5"), ("12", GERMAN, "12"),
        ("127,768", Dialect(thousands=","), "127768"), ("127,768", Dialect(decimal=","), "127.768"),
        ("1\u202f234,5", Dialect(decimal=",", thousands=" "), "1234.5"),
    ],
)  # fmt: skip
def test_number_of_a_dialect(text: str, dialect: Dialect, number: str) -> None:
    assert said(cells.decimal, dialect, text) == Decimal(number)


@pytest.mark.parametrize("text", ["12.34", "1.2345,6", "1,234.56", "12,34,56", "1.23"])
def test_number_of_another_dialect_is_a_problem_and_no_other_number(text: str) -> None:
    with pytest.raises(cells.CellProblemError) as error:
        said(cells.decimal, GERMAN, text)
    assert error.value.code == "not-number"


@pytest.mark.parametrize(
    ("text", "order", "day"),
    [
        ("01-02-13", "dmy", "2013-02-01"), ("01-02-13", "mdy", "2013-01-02"),
        ("01-02-13", "ymd", "2001-02-13"), ("22.02.18", "dmy", "2018-02-22"),
        ("10/2/2017 10:56", "mdy", "2017-10-02T10:56"), ("2011-12-09", "dmy", "2011-12-09"),
        ("2012/09/26 12:00:00", "ymd", "2012-09-26T12:00"), ("31.12.69", "dmy", "1969-12-31"),
        ("7/24/2018 8:41 PM", "mdy", "2018-07-24T20:41"), ("2011/12/09", "iso", "2011-12-09"),
    ],
)  # fmt: skip
def test_date_of_a_dialect(text: str, order: str, day: str) -> None:
    when = said(cells.moment("UTC"), Dialect(dates=order), text)
    assert when == datetime.fromisoformat(day).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "order"), [("13/13/2011", "dmy"), ("31/12/2011", "mdy"), ("01-02-13", "iso")]
)
def test_date_that_the_order_does_not_allow_is_a_problem(text: str, order: str) -> None:
    with pytest.raises(cells.CellProblemError) as error:
        said(cells.moment("UTC"), Dialect(dates=order), text)
    assert error.value.code == "not-date"


def test_identities_are_left_alone() -> None:
    assert spoken.saying(cells.code, GERMAN) is None
    assert spoken.saying(cells.text, GERMAN) is None


def test_cells_that_are_no_texts_stay() -> None:
    say = spoken.saying(cells.decimal, GERMAN)
    assert say is not None
    assert [say(one) for one in (1.5, None, CellError("error-cell"), "free")] == [
        1.5, None, CellError("error-cell"), "free",
    ]  # fmt: skip


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9
    ),
    st.sampled_from([(",", "."), (",", " "), (".", ","), (".", "'"), (",", "")]),
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_number_written_in_a_dialect_comes_back(number: Decimal, marks: tuple[str, str]) -> None:
    decimal, thousands = marks
    grouped = f"{number:,.3f}"
    written = "".join({",": thousands, ".": decimal}.get(mark, mark) for mark in grouped)
    assert said(cells.decimal, Dialect(decimal=decimal, thousands=thousands), written) == number
