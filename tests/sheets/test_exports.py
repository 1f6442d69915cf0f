"""Files of rows: nothing in them runs, and they read back equal."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from typing import cast

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from backoffice.masking.masks import phone
from backoffice.masking.values import Sealed
from backoffice.sheets.exporting import copied_out, exports
from backoffice.site import staff_site
from backoffice.site.extracts import Extract
from orders.models import Order
from tests.factories import make_order
from tests.sheets.hostile_texts import HOSTILE, OURS, read_rows, texts

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|'/c calc'!A0"]


def csv_rows(rows: Iterable[exports.Row]) -> list[list[str]]:
    text = "".join(exports.csv_lines(["a", "b"], rows))
    assert text.startswith("\ufeff")
    return list(csv.reader(StringIO(text[1:], newline="")))


def xlsx_cells(answer: StreamingHttpResponse) -> list[list[object]]:
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


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(texts(), min_size=20, max_size=60))
def test_every_text_comes_back_from_csv_as_it_was(tmp_path: Path, values: list[str]) -> None:
    values = [*values, *HOSTILE]
    content = b"".join(exports.csv_parts("rows", ["a", "b"], [["x", one] for one in values]))
    assert [row[1] for row in read_rows(tmp_path, content, OURS)[1:]] == values


@given(st.text())
def test_apostrophe_goes_where_it_was_put_and_nowhere_else(text: str) -> None:
    assert exports.unescape(exports.safe_text(text)) == text
    assert not exports.safe_text(text).startswith(exports.FORMULA_STARTS)


@pytest.mark.parametrize("text", ["'plain", "'", "O'Hara", "'tis", "' =1"])
def test_apostrophe_of_other_systems_stays(text: str) -> None:
    assert exports.unescape(text) == text


@given(
    st.lists(st.one_of(texts(), st.none(), st.integers(), st.booleans(), st.just("")), max_size=9)
)
def test_csv_is_what_its_reader_takes_it_for(values: list[object]) -> None:
    words = {None: "", True: "true", False: "false"}
    told = [words[v] if v is None or isinstance(v, bool) else exports.safe_text(str(v))
            if isinstance(v, str) else str(v) for v in values]  # fmt: skip
    rows = csv_rows([[value, "x"] for value in values])[1:]
    assert [row[0] for row in rows] == told
    (alone,) = csv_rows([values or [""]])[1:] or [[""]]
    assert alone == (told or [""])


def test_csv_of_one_column_keeps_its_empty_rows() -> None:
    text = "".join(exports.csv_lines(["a"], [["x"], [None], [""], ["y"]]))
    assert list(csv.reader(StringIO(text[1:], newline=""))) == [["a"], ["x"], [""], [""], ["y"]]


def test_json_is_an_array_of_objects_with_kinds() -> None:
    at = datetime(2011, 12, 9, 12, 50, tzinfo=UTC)
    clear = "+44 20 7946 0958"
    row = [Decimal("22.70"), at, at.date(), None, True, 7, "=1\n", Sealed(phone(clear), clear)]
    heads = list("abcdefgh")
    parts = list(exports.json_parts("rows", heads, [row, [float("nan")] * 8]))
    first, second = json.loads(b"".join(parts))
    assert list(first.values()) == [
        "22.70", "2011-12-09T12:50:00+00:00", "2011-12-09", None, True, 7, "=1\n", phone(clear),
    ]  # fmt: skip
    assert set(second.values()) == {"nan"}
    assert json.loads(b"".join(exports.json_parts("rows", ["a"], []))) == []


@pytest.mark.parametrize("kind", list(exports.PARTS))
def test_first_part_comes_before_the_first_row_is_asked_for(kind: str) -> None:
    def rows() -> Iterator[list[int]]:
        raise AssertionError
        yield [1]

    assert next(exports.PARTS[kind]("rows", ["a"], rows()))


@pytest.mark.django_db
def test_copy_writes_what_goes_row_by_row() -> None:
    """COPY and Python write the same texts, word for word."""
    if connection.vendor != "postgresql":
        pytest.skip("speaks of postgresql")
    texts_of_orders = [*HOSTILE, "", ', and "more"']
    for number, text in enumerate(texts_of_orders):
        order = make_order(1000 + number, status=Order.Status.CANCELLED if number % 2 else "paid")
        at = datetime(2011, 12, 9, 12, 50, number % 60, 1000 * (number % 3), tzinfo=UTC)
        Order.objects.filter(pk=order.pk).update(country=text[:60], placed_at=at)
    request = RequestFactory().get("/")
    names = ["number", "placed_at", "country", "currency", "total_minor", "status", "id"]
    found = Order.objects.order_by("country", "pk").filter(total_minor__gte=0)
    for as_words in (True, False):
        rows = Extract(staff_site._registry[Order], request, found, names, as_words=as_words)
        copied = copied_out.parts(rows)
        assert copied is not None
        by_rows = csv_rows(list(rows))[1:]
        text = b"".join(copied).decode()
        assert list(csv.reader(StringIO(text, newline=""))) == by_rows
        assert len(by_rows) == len(texts_of_orders)


@pytest.mark.django_db
@pytest.mark.parametrize("nothing", [Order.objects.none(), Order.objects.filter(pk__in=[])])
def test_list_of_nothing_leaves_as_its_head_alone(nothing: QuerySet[Order]) -> None:
    """Of such a query the database is never asked: COPY has no statement for it."""
    make_order(1000)
    request = RequestFactory().get("/")
    rows = Extract(staff_site._registry[Order], request, nothing.all(), ["number", "status"])
    content = b"".join(exports.csv_parts("rows", ["Number", "State"], rows)).decode()
    assert list(csv.reader(StringIO(content[1:], newline=""))) == [["Number", "State"]]


@pytest.mark.django_db
def test_masked_and_computed_columns_are_never_copied() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("speaks of postgresql")
    request = RequestFactory().get("/")
    page = next(page for model, page in staff_site._registry.items()
                if model._meta.label == "customers.Customer")  # fmt: skip
    found = page.model._default_manager.order_by("pk")
    plain = Extract(page, request, found, ["number", "country"])
    assert copied_out.parts(plain) is not None
    for name in ("name", "email", "phone", "born", "address"):
        assert copied_out.parts(Extract(page, request, found, ["number", name])) is None
    assert copied_out.parts(Extract(page, request, found, ["number", "order_count"])) is None
