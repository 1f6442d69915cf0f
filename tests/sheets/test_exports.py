"""Files of rows: nothing in them runs, and they read back equal."""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import cast

import pytest
from django.http import FileResponse
from openpyxl import load_workbook

from backoffice.masking.masks import phone
from backoffice.masking.values import Sealed
from backoffice.sheets import exports

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|'/c calc'!A0"]


def csv_rows(rows: Iterable[exports.Row]) -> list[list[str]]:
    text = "".join(exports.csv_lines(["a", "b"], rows))
    assert text.startswith("\ufeff")
    return list(csv.reader(StringIO(text[1:], newline="")))


def xlsx_cells(answer: FileResponse) -> list[list[object]]:
    content = b"".join(cast("Iterable[bytes]", answer.streaming_content))
    sheet = load_workbook(BytesIO(content)).active
    assert sheet is not None
    return [[(cell.value, cell.data_type) for cell in row] for row in sheet.iter_rows(min_row=2)]


@pytest.mark.parametrize("text", FORMULAS)
def test_csv_text_never_starts_a_formula(text: str) -> None:
    assert csv_rows([[text, -5]])[1] == [f"'{text}", "-5"]


@pytest.mark.parametrize("text", FORMULAS)
def test_xlsx_text_stays_text(text: str) -> None:
    ((cell,),) = xlsx_cells(exports.write_xlsx("rows", ["a"], [[text]]))
    assert cell == (text.replace("\r", "\n"), "s") or cell == (text, "s")


def test_numbers_dates_and_blanks_keep_their_kind() -> None:
    at = datetime(2011, 12, 9, 12, 50, tzinfo=UTC)
    ((number, moment, blank),) = xlsx_cells(
        exports.write_xlsx("rows", ["a", "b", "c"], [[Decimal("22.71"), at, None]])
    )
    assert number == (22.71, "n")
    assert moment == (datetime(2011, 12, 9, 12, 50), "d")  # noqa: DTZ001 - a sheet has no zones
    assert blank == (None, "n")
    assert csv_rows([[Decimal("22.71"), at]])[1] == ["22.71", "2011-12-09 12:50:00+00:00"]


def test_masked_values_leave_as_masks() -> None:
    clear = "+44 20 7946 0958"
    sealed = Sealed(phone(clear), clear)
    assert csv_rows([[sealed, ""]])[1] == [exports.safe_text(str(phone(clear))), ""]
    ((cell,),) = xlsx_cells(exports.write_xlsx("rows", ["a"], [[sealed]]))
    assert cell == (phone(clear), "s")


def test_answers_are_downloads_that_nobody_keeps() -> None:
    for answer in (exports.stream_csv("rows", ["a"], []), exports.write_xlsx("rows", ["a"], [])):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Disposition"].startswith("attachment")
