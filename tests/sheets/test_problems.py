"""What is shown of a cell that is wrong."""

import pytest

from backoffice.sheets.problems import quote


@pytest.mark.parametrize(
    "value", ["x", "-24", "12,50", "C536370", "85123A", "#N/A", "POST"[:3], 12.5, -24, 12437]
)
def test_codes_and_numbers_are_shown(value: object) -> None:
    assert quote(value) == str(value)


@pytest.mark.parametrize(
    "value",
    ["anna@example.com", "Smith", "Anna Smith", "+44 20 7946 0958", "020-7946-0958",
     "447700900123", 447700900123, "12 High Street", "1980-02-03", "4111 1111 1111 1111"],
)  # fmt: skip
def test_what_may_be_personal_is_only_described(value: object) -> None:
    assert quote(value) == f"({len(str(value))} characters)"


def test_date_is_shown_where_a_date_belongs() -> None:
    assert quote("2011-13-09", dates=True) == "2011-13-09"
    assert quote("Smith", dates=True) == "(5 characters)"
