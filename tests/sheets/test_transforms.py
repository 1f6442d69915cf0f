"""Changes of cells: each does what its name says, in time, and refuses what it cannot take."""

import time
from datetime import datetime
from typing import Any

import pytest

from backoffice.sheets import transforms
from backoffice.sheets.reading.reader import CellError, Value

AT = datetime(2011, 12, 9, 14, 30)  # noqa: DTZ001 - a sheet has no zones
YES_NO = [["ja", "yes"], ["NEIN", "no"], ["sehr gut", "excellent"]]


def changed(
    value: Value, *steps: list[Any], cells: tuple[Value, ...] = (), mark: str = "."
) -> Value:
    kept = transforms.checked(steps, max(len(cells), 1))
    return transforms.compiled(kept, mark=mark)(value, cells)


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        (" eur ", ["upper"], "EUR"),
        ("straße", ["upper"], "STRASSE"),
        ("ENAMEL Cup", ["lower"], "enamel cup"),
        ("+44 (0) 20-7946", ["digits"], "440207946"),
        ("\uff11\uff12\u0663", ["digits"], "123"),
        ("none", ["digits"], None),
        ("Paris, France", ["before", ","], "Paris"),
        ("Paris", ["before", ","], "Paris"),
        ("Paris, France, Europe", ["after", ","], "France, Europe"),
        ("Paris", ["after", ","], "Paris"),
        ("a/b/c", ["part", "/", 2], "b"),
        ("a/b/c", ["part", "/", 3], "c"),
        ("a/b/c", ["part", "/", 4], None),
        ("JA", ["replace", YES_NO], "yes"),
        ("Sehr gut", ["replace", YES_NO], "excellent"),
        ("ja oder  nein", ["replace", YES_NO], "yes oder no"),
        ("jaja", ["replace", YES_NO], "jaja"),
        ("ART-0042", ["prefix", "ART-"], "0042"),
        ("0042-ART-", ["prefix", "ART-"], "0042-ART-"),
        ("0042", ["front", "NW-"], "NW-0042"),
        (42, ["pad", 6], "000042"),
        ("1234567", ["pad", 6], "1234567"),
        (None, ["pad", 6], None),
        ("   ", ["pad", 6], None),
        (1999, ["scale", -2], "19.99"),
        (2.95, ["scale", 2], "295"),
        ("-0.5", ["scale", 3], "-500"),
        ("1,234.5", ["scale", 1], "12345"),
        ("12,50", ["scale", 2], "12,50"),
        (".5", ["scale", 1], "5"),
        ("1 234", ["scale", 0], "1234"),
        ("twelve", ["scale", 2], "twelve"),
        ("NaN", ["scale", 2], "NaN"),
        ("1e99999999", ["scale", 9], "1e99999999"),
        (12437.0, ["upper"], "12437"),
        (12.5, ["prefix", "1"], "2.5"),
    ],
)  # fmt: skip
def test_changes(value: Value, step: list[Any], expected: Value) -> None:
    assert changed(value, step) == expected


def test_scale_reads_and_writes_the_mark_of_the_file() -> None:
    assert changed("1.234,56", ["scale", 1], mark=",") == "12345,6"
    assert changed("1999", ["scale", -2], mark=",") == "19,99"
    assert changed("19.99", ["scale", 2], mark=",") == "19.99"


def test_join_takes_another_column() -> None:
    cells = ("Marie", None, " Curie ", 7, AT)
    assert changed("Marie", ["join", 2, " "], cells=cells) == "Marie Curie"
    assert changed("A", ["join", 3, ""], cells=cells) == "A7"
    assert changed(None, ["join", 2, ", "], cells=cells) == "Curie"
    assert changed("Marie", ["join", 1, " "], cells=cells) == "Marie"
    assert changed("Marie", ["join", 4, " "], cells=cells) == "Marie"


def test_steps_follow_one_another() -> None:
    steps = (["after", ":"], ["digits"], ["pad", 5])
    assert changed("No: 42-1", *steps) == "00421"


@pytest.mark.parametrize("value", [AT, True, CellError("error-cell")])
def test_what_is_no_text_passes(value: Value) -> None:
    assert changed(value, ["upper"], ["pad", 9]) is value


@pytest.mark.parametrize(
    "step",
    [
        [],
        ["eval", "1"],
        ["before"],
        ["before", ""],
        ["before", "x" * 11],
        ["upper", "x"],
        ["part", "/", 0],
        ["part", "/", True],
        ["part", "/", "2"],
        ["pad", 31],
        ["scale", 10],
        ["scale", 1.5],
        ["join", 3, " "],
        ["join", -1, " "],
        ["replace", []],
        ["replace", [["", "x"]]],
        ["replace", [["x"]]],
        ["replace", [["x", "y" * 61]]],
        ["replace", [["x", "y"]] * 51],
        ["replace", "x=y"],
    ],
)
def test_wrong_steps_are_refused(step: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        transforms.checked([step], 3)


def test_only_a_few_steps() -> None:
    with pytest.raises(ValueError, match="5"):
        transforms.checked([["upper"]] * 6, 3)


def test_long_texts_take_little_time_and_become_a_problem() -> None:
    words = [["a", "b" * 60]]
    long = "a " * 500_000
    start = time.process_time()
    assert changed(long, ["replace", words]) == CellError(transforms.TOO_LONG)
    assert changed("9" * 1_000_000, ["scale", 9]) == CellError(transforms.TOO_LONG)
    assert changed(long, ["part", " ", 30]) == "a"
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", sorted(transforms.TRANSFORMS))
def test_each_has_words(name: str) -> None:
    assert str(transforms.TRANSFORMS[name].label)
