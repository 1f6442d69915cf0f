"""Real files with real quirks, one after the other, and what has to come out of each."""

import os
from datetime import datetime

import pytest

from backoffice.sheets.errors import ReadError
from backoffice.sheets.mapping import blank, joined, repeated
from backoffice.sheets.reading import dialects, reader
from backoffice.sheets.reading.dialects import Dialect, Guess
from backoffice.sheets.reading.headers import suggest_header
from backoffice.sheets.reading.reader import CellError, Outline, RawRow
from tests.sheets import hostile
from tests.sheets.shared_data import shared

WHOLE = os.environ.get("BACKOFFICE_WHOLE") == "1"


def look(name: str, limit: int = 40) -> tuple[reader.Inspection, list[Outline], list[str]]:
    return reader.outline(shared(name), limit=limit)


def first(name: str) -> Outline:
    """Return the first sheet of a file of the folder of awkward ones."""
    return look(f"awkward/{name}")[1][0]


def notes(name: str) -> str:
    return "\n".join(look(f"awkward/{name}")[2])


def headers(sheet: Outline) -> list[str]:
    return joined(sheet.head, suggest_header(sheet.head, sheet.columns))


def guessed(name: str) -> Guess:
    found = dialects.guess(shared(name))
    assert found is not None
    return found


def read(name: str, dialect: Dialect | None = None) -> list[RawRow]:
    return list(reader.rows(shared(name), dialect=dialect))


def test_s01_header_below_notes_and_notes_below_the_rows() -> None:
    name = "s01_title_rows_and_footnotes.xlsx"
    arts, other = look(f"awkward/{name}")[1]
    assert [suggest_header(one.head, one.columns) for one in (arts, other)] == [5, 5]
    assert headers(arts)[:4] == ["Name", "Profession", "Age", "Has kids"]
    people = [row for row in arts.head if 5 < row.number <= 15]
    kinds = [tuple(map(type, row.cells[2:6])) for row in people]
    assert kinds == [(int, bool, datetime, datetime)] * 10
    # The notes are not swallowed: they come as rows, and fail as such.
    assert [row.number for row in arts.head if row.number > 15] != []


def test_s02_headers_without_and_with_the_same_name_stand_by_their_place() -> None:
    sheet = first("s02_blank_and_duplicate_headers.xlsx")
    assert headers(sheet) == ["", "var2", "", "var2"]
    assert blank(headers(sheet)) == [0, 2]
    assert repeated(headers(sheet)) == [1, 3]


def test_s03_white_space_is_nothing_and_a_formula_without_value_is_no_blank() -> None:
    sheet = first("s03_whitespace_cells.xlsx")
    texts = [cell for row in sheet.head for cell in row.cells]
    assert all(not isinstance(cell, str) or cell.strip() for cell in texts)
    assert "white space" in notes("s03_whitespace_cells.xlsx") or sheet.blank == 1


def test_s04_large_numbers_are_whole_and_equal_their_texts() -> None:
    rows = read("awkward/s04_numbers_as_text.xlsx")[2:]
    pairs = [(row.cells[0], row.cells[1]) for row in rows]
    assert len(pairs) == 5
    assert all(isinstance(one, int) and str(one) == str(other) for one, other in pairs)


def test_s05_rows_beyond_the_declared_dimension_are_there() -> None:
    assert len(read("awkward/s05_wrong_dimension_A1.xlsx")) == 3258


def test_s06_styles_to_the_last_row_cost_nothing() -> None:
    sheet = first("s06_million_row_dimension_invoices.xlsx")
    assert (sheet.rows, sheet.columns, headers(sheet)[0]) == (5, 24, "Nr fattura")


def test_s07_strict_workbook_is_read_like_another() -> None:
    sheet = first("s07_strict_ooxml_blank_header.xlsx")
    assert (sheet.rows, sheet.columns, sheet.head[0].number) == (5, 4, 2)


def test_s08_every_error_cell_has_its_address() -> None:
    rows = read("awkward/s08_error_cells.xlsx")
    assert [(row.number, row.cells) for row in rows] == [
        (number, (CellError("error-cell"),)) for number in range(1, 8)
    ]
    assert "7 cells hold an error" in notes("s08_error_cells.xlsx")


def test_s09_dates_from_1904_are_right() -> None:
    rows = read("awkward/s09_date_1904.xlsx")
    assert len(rows) == 5
    for row in rows:
        when = row.cells[1]
        assert isinstance(when, datetime)
        assert when.date().isoformat() == row.cells[2]


def test_s10_rows_that_a_filter_hides_are_counted() -> None:
    assert "23 rows are hidden by a filter" in notes("s10_rows_hidden_by_filter.xlsx")
    assert first("s10_rows_hidden_by_filter.xlsx").rows == 30


def test_s11_hidden_sheets_are_named() -> None:
    _inspection, sheets, said = look("awkward/s11_hidden_and_very_hidden_sheets.xlsx")
    assert [(one.name, one.hidden, one.very_hidden) for one in sheets] == [
        ("Visible", False, False), ("Hidden", True, False), ("VeryHidden", True, True),
    ]  # fmt: skip
    assert "Hidden, VeryHidden" in said[0]


def test_s12_old_workbook_shows_its_titles_and_hidden_sheet() -> None:
    inspection, (prices, hidden), _said = look("awkward/s12_eu_oil_bulletin_merged_headers.xls")
    assert (inspection.kind, hidden.name, hidden.hidden) == ("xls", "_Hidden2", True)
    assert (prices.rows + prices.blank, prices.columns) == (97, 13)
    assert (1, 3, 1, 11) in prices.merged


def test_s13_dashboard_opens_with_its_hidden_sheets() -> None:
    inspection, sheets, said = look("awkward/s13_enron_weekly_report.xls")
    assert (inspection.kind, len(sheets)) == ("xls", 10)
    assert [one.name for one in sheets if not one.hidden] == ["Weekly Report"]
    assert "Data: 9 rows are hidden; they are imported too." in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("s14_kills_calamine_process.xls", "damaged"),
        ("s15_panics_calamine.xls", "damaged"),
        ("s16_password_protected.xlsx", "password"),
        ("s17_zip_without_workbook.xlsx", "not a spreadsheet"),
    ],
)
def test_s14_to_s17_what_cannot_be_read_is_said_in_words(name: str, words: str) -> None:
    with pytest.raises(ReadError, match=words):
        read(f"awkward/{name}")


@pytest.mark.parametrize("name", ["s14_kills_calamine_process.xls", "s15_panics_calamine.xls"])
def test_s14_and_s15_take_only_the_child_with_them(name: str) -> None:
    """The library meets them too: as a file that was measured before, by somebody careless."""
    seen = {"kind": "xls", "sheets": {}, "guess": {}}
    with pytest.raises(ReadError, match="damaged"):
        list(reader.rows(shared(f"awkward/{name}"), seen=seen))


def test_s18_text_that_calls_itself_a_workbook() -> None:
    rows = read("awkward/s18_csv_named_xls.xls")
    assert look("awkward/s18_csv_named_xls.xls")[0].kind == "csv"
    assert rows[0].cells[:3] == ("Account No", None, "Date")
    assert rows[1].cells[4:6] == ("Opening balance", "10374.04")


def test_s19_semicolons_and_decimal_commas() -> None:
    guess = guessed("awkward/s19_german_bank_semicolon.csv")
    assert (guess.dialect, guess.certain) == (Dialect("utf-8", ";", '"', ",", "", "dmy"), True)
    row = read("awkward/s19_german_bank_semicolon.csv")[1]
    assert (row.cells[0], row.cells[8]) == ("1000594757", "-36,99")


def test_s20_western_text_with_two_kinds_of_line_ends() -> None:
    guess = guessed("awkward/s20_rabobank_latin1_mixed_newlines.csv")
    assert (guess.dialect.encoding, guess.dialect.decimal) == ("cp1252", ",")
    assert "encoding" in guess.unsure
    header, row, *_more = read("awkward/s20_rabobank_latin1_mixed_newlines.csv")
    assert header.cells[11] == "Naam initiërende partij"
    assert row.cells[3] == "000000000000009565"
    assert row.cells[6:8] == ("-337,49", "+5257,28")


def test_s21_order_of_dates_is_asked() -> None:
    guess = guessed("awkward/s21_hotel_prices_latin1_semicolon.csv")
    assert (guess.dialect.delimiter, guess.dialect.decimal) == (";", ",")
    assert {"encoding", "dates"} <= set(guess.unsure)
    sheet = first("s21_hotel_prices_latin1_semicolon.csv")
    assert (sheet.rows, headers(sheet)[3]) == (639, "Année")


def test_s22_chinese_is_offered_in_both_encodings_and_can_be_corrected() -> None:
    """It is said to be GB 18030; read so it is rare characters, as Big5 it is plain words."""
    source = shared("awkward/s22_chinese_gb18030.csv")
    guess = guessed("awkward/s22_chinese_gb18030.csv")
    assert guess.encodings[:2] == ("cp950", "gb18030")
    assert "encoding" in guess.unsure
    assert dialects.preview(source, guess.dialect, 1)[0][1] == "景點編號"
    other = Dialect("gb18030", dates="ymd")
    assert dialects.preview(source, other, 1)[0][1] != "景點編號"


def test_s23_two_bytes_a_letter_with_a_mark() -> None:
    guess = guessed("awkward/s23_utf16le.csv")
    sheet = first("s23_utf16le.csv")
    assert (guess.dialect.encoding, "encoding" in guess.unsure) == ("utf-16", False)
    assert (sheet.rows, headers(sheet)[0]) == (328, "Organisation_code")


def test_s24_header_below_title_and_unit() -> None:
    sheet = first("s24_title_rows.csv")
    assert suggest_header(sheet.head, sheet.columns) == 4
    assert headers(sheet)[:2] == ["Year", "2000"]
    assert guessed("awkward/s24_title_rows.csv").dialect.thousands == ","


def test_s25_cells_without_addresses() -> None:
    rows = read("awkward/s25_contacts_no_cell_refs.xlsx")
    assert sum(cell is not None for row in rows for cell in row.cells) == 102
    assert rows[-1].number == 39


def test_s26_binary_workbook() -> None:
    inspection, sheets, said = look("awkward/s26_binary.xlsb")
    assert (inspection.kind, sheets[0].rows, sheets[0].columns) == ("xlsb", 34, 6)
    assert repeated(headers(sheets[0])) == [1, 2, 5]
    assert blank(headers(sheets[0])) == [3]
    assert "test.csv, Sheet3" in said[0]


def test_s27_large_ods() -> None:
    inspection, sheets, _said = look("awkward/s27_large.ods")
    assert inspection.kind == "ods"
    assert [one.rows for one in sheets] == [23761, 26754, 26049, 25873, 25873, 20329]


def test_s28_header_of_several_rows_shows_what_is_merged() -> None:
    sheet = first("s28_three_row_header.xlsx")
    assert sheet.merged[:3] == [(1, 1, 5, 1), (1, 2, 4, 2), (1, 3, 3, 4)]
    assert [row.number for row in sheet.head] == [1, 4, 5, 6]


def test_k01_korean_text() -> None:
    guess = guessed("local-only/k01_korean_cp949_markets.csv")
    assert (guess.dialect.encoding, guess.unsure) == ("cp949", ("encoding",))
    rows = read("local-only/k01_korean_cp949_markets.csv")
    assert (len(rows), rows[0].cells[0], rows[1].cells[14]) == (1389, "시장명", "033-648-4477")


def test_k02_japanese_text_with_thousands() -> None:
    guess = guessed("local-only/k02_japanese_cp932_thousands.csv")
    assert (guess.dialect.encoding, guess.dialect.thousands) == ("cp932", ",")
    assert set(guess.unsure) == {"encoding", "decimal"}
    assert read("local-only/k02_japanese_cp932_thousands.csv")[1].cells[5] == "127,768"


def test_k03_blank_tail_and_months_that_stand_first() -> None:
    guess = guessed("local-only/k03_olist_orders_blank_tail.csv")
    assert (guess.dialect.dates, guess.unsure) == ("mdy", ("dates",))
    _inspection, (sheet,), said = look("local-only/k03_olist_orders_blank_tail.csv")
    assert (sheet.rows, sheet.blank) == (10_000, 89_442)
    assert "89,442 blank rows are skipped." in said


def test_k04_lost_zeros_are_warned_of() -> None:
    _inspection, (sheet,), said = look("local-only/k04_olist_customers_lost_zeros.csv")
    assert (sheet.rows, sheet.head[2].cells[2]) == (10_000, "9790")
    assert any("customer_zip_code_prefix" in note and "zeros" in note for note in said)


def test_k05_every_line_is_there() -> None:
    assert look("local-only/k05_olist_items_orphans.csv")[1][0].rows == 9_999


def test_k06_first_header_has_no_mark() -> None:
    rows = read("local-only/k06_bom_translation.csv")
    assert rows[0].cells[0] == "product_category_name"


def test_k07_continuation_rows_and_markup_are_texts() -> None:
    rows = read("local-only/k07_shopify_apparel.csv")
    assert len(rows) == 23
    assert any(row.cells[1] is None for row in rows[1:])
    assert {row.cells[6] for row in rows[1:]} <= {"true", None}


@pytest.mark.skipif(not WHOLE, reason="`make fuzz-sheets` and `make soak-import` read it whole")
def test_whole_online_retail_is_measured_and_read_in_bounded_memory() -> None:
    path = shared("main/online_retail/online_retail_full.xlsx")
    assert sum(len(batch.numbers) for batch in reader.batches(path)) == 541_910
    assert hostile.measured(path).megabytes < 600
