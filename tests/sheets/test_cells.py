"""From cells to values."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backoffice.sheets import cells
from backoffice.sheets.reading.reader import CellError, Value

LONDON = cells.moment("Europe/London")


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (12437, "12437"), (12437.0, "12437"), ("12437.0", "12437"), (" 00123 ", "00123"),
        ("85123A", "85123A"), ("BANK  CHARGES", "BANK CHARGES"), (2147483648, "2147483648"),
        ("10.50", "10.50"),
    ],
)  # fmt: skip
def test_code_is_text(cell: Value, code: str) -> None:
    assert cells.code(cell) == code


@pytest.mark.parametrize(("cell", "number"), [(6, 6), (-6.0, -6), ("1,200", 1200), ("\u22123", -3)])
def test_whole_number(cell: Value, number: int) -> None:
    assert cells.whole(cell) == number


@pytest.mark.parametrize(
    ("cell", "number"), [(2.95, "2.95"), (0.1, "0.1"), ("1,234.565", "1234.565"), (3, "3")]
)
def test_decimal_is_what_the_cell_shows(cell: Value, number: str) -> None:
    assert cells.decimal(cell) == Decimal(number)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        (datetime(2010, 12, 1, 8, 26), datetime(2010, 12, 1, 8, 26, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2011, 7, 1, 8, 26), datetime(2011, 7, 1, 7, 26, tzinfo=UTC)),  # noqa: DTZ001
        ("2011-07-01 08:26", datetime(2011, 7, 1, 7, 26, tzinfo=UTC)),
        ("2011-07-01", datetime(2011, 6, 30, 23, 0, tzinfo=UTC)),
        # The hour that comes twice: the first of the two.
        ("2011-10-30 01:30", datetime(2011, 10, 30, 0, 30, tzinfo=UTC)),
    ],
)
def test_moment_is_local_time(cell: Value, moment: datetime) -> None:
    assert LONDON(cell) == moment


@pytest.mark.parametrize(
    ("read", "cell", "code"),
    [
        (cells.whole, "three", "not-whole"), (cells.whole, 1.5, "not-whole"),
        (cells.whole, True, "not-whole"), (cells.whole, 2**40, "out-of-range"),
        (cells.decimal, "1,50", "not-number"), (cells.decimal, "nan", "not-number"),
        (cells.whole, "", "empty"),
        (LONDON, "03/04/2011", "not-date"), (LONDON, "2011-13-09", "not-date"),
        (LONDON, 40878, "not-date"), (cells.code, CellError("error-cell"), "error-cell"),
        (cells.code, None, "empty"), (cells.text, "  ", "empty"),
    ],
)  # fmt: skip
def test_bad_cell_has_a_code(read: cells.Reader, cell: Value, code: str) -> None:
    with pytest.raises(cells.CellProblemError) as error:
        read(cell)
    assert error.value.code == code
