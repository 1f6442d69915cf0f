"""Columns are found by their headers in many ways of writing, and never guessed silently."""

from datetime import datetime

import pytest

from backoffice.sheets import cells, formats, mapping
from backoffice.sheets.formats import Column
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.reading.reader import Outline, RawRow, Value


class Prices(formats.Format):
    """Three columns, in several languages."""

    key, title = "prices", "Prices"
    columns = (
        Column("code", "Code", cells.code, ("Artikelnummer", "품번", "Código", "Référence")),
        Column("price", "Price", cells.decimal, ("Preis", "단가", "Preço", "Prix", "Precio")),
        Column("country", "Country", cells.text, ("Land",), may_be_empty=True),
    )


FORM = Prices()


def sheet(*rows: tuple[Value, ...], first: int = 1) -> Outline:
    head = [RawRow("A", first + at, row) for at, row in enumerate(rows) if any(row)]
    return Outline("A", False, len(head), max(len(row) for row in rows), head)


@pytest.mark.parametrize(
    "names",
    [
        ("CODE", "price"),
        ("Artikel-Nummer", "Preis"),
        ("품번", "단 가"),
        ("codigo", "PRECO"),
        ("Reference", "prix :"),
        ("\uff23\uff4f\uff44\uff45", "PRICE"),
        (" code\n", "Prec\u0327o"),
    ],
)
def test_headers_are_found_in_their_languages(names: tuple[str, str]) -> None:
    assert mapping.match(names, FORM) == {"code": 0, "price": 1}


def test_repeated_and_blank_headers_are_never_taken() -> None:
    names = ["", "Price", "Code", "price"]
    assert mapping.match(names, FORM) == {"code": 2}
    assert mapping.guesses(names, FORM, {"code": 2}) == {}
    assert (mapping.blank(names), mapping.repeated(names)) == ([0], [1, 3])


def test_two_headers_for_one_column_are_not_taken() -> None:
    assert mapping.match(["Price", "Preis", "Code"], FORM) == {"code": 2}


def test_alike_is_a_guess_and_no_more() -> None:
    names = ["Code", "Prise", "Contry"]
    found = mapping.match(names, FORM)
    assert found == {"code": 0}
    assert mapping.guesses(names, FORM, found) == {"price": 1, "country": 2}
    assert mapping.guesses(["Code", "Weight"], FORM, {"code": 0}) == {}


def test_title_rows_stand_above_the_header() -> None:
    found = mapping.propose(
        sheet(("Price list",), (), ("valid from", "2011"), ("Code", "Price"), ("A1", 2.5)), FORM
    )
    assert found is not None
    assert (found.header_row, found.header_rows, found.columns) == (4, 1, {"code": 0, "price": 1})


def test_joined_rows_make_one_header() -> None:
    rows = sheet(
        ("Item", "Net", None, "Note"),
        (None, "price", "tax", None),
        ("A1", 2.5, 0.5, "new"),
    )
    assert mapping.joined(rows.head, 2, 2) == ["Item", "Net price", "Net tax", "Note"]
    assert mapping.joined(rows.head, 2) == ["", "price", "tax", ""]


def test_header_of_several_rows_is_proposed() -> None:
    rows = sheet(("Artikel", "Pre", None), ("nummer", "is", "Land"), ("A1", 2.5, "France"))
    found = mapping.propose(rows, FORM)
    assert found == SheetMapping(2, {"code": 0, "price": 1}, 2)


def test_unknown_sheets_offer_the_first_full_row() -> None:
    rows = sheet(("Report",), ("a", "b", "c"), (1, 2, 3), (4, 5, 6))
    assert mapping.propose(rows, FORM) is None
    assert mapping.usual_header(rows) == 2
    at = datetime(2011, 1, 1)  # noqa: DTZ001 - a sheet has no zones
    assert mapping.usual_header(sheet((1, 2, at), (3, 4, at))) == 1


def test_values_are_no_headers_for_the_database() -> None:
    assert mapping.harmless("Price 2011") == "Price 2011"
    assert "example" not in mapping.harmless("jo@example.com")
    assert "447700900123" not in mapping.harmless("Tel 447700900123")


def test_constants_and_changes_are_read() -> None:
    one = SheetMapping(
        1, {"code": 0, "price": 1}, 1, {"price": "0", "country": "France"}, {"code": [["pad", 4]]}
    )
    rows = [RawRow("A", 2, (7, 2.5)), RawRow("A", 3, ("8", None))]
    read = list(formats.typed(rows, FORM, {"A": one}))
    assert [row.values["code"] for row in read] == ["0007", "0008"]
    assert [str(row.values["price"]) for row in read] == ["2.5", "0"]
    assert {row.values["country"] for row in read} == {"France"}
    assert not any(row.bad for row in read)
    assert SheetMapping.from_json(one.as_json()) == one
    assert SheetMapping.from_json({"header_row": 3, "columns": {"code": 1}}).header_rows == 1


def test_a_constant_is_enough_for_a_needed_column() -> None:
    assert [one.key for one in SheetMapping(1, {"code": 0}).missing(FORM)] == ["price"]
    assert SheetMapping(1, {"code": 0}, constants={"price": "1"}).missing(FORM) == []
