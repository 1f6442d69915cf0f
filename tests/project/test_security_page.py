"""docs/security.md: no line of the standard is missing, and every test that it names exists."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
# ASVS 5.0.0: section -> how many lines of level 1 and 2 it has.
# Within each section the lines of level 3 stand last.
LINES = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2,
    "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
    "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
    "9.1": 3, "9.2": 4,
    "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
}  # fmt: skip
WANTED = {f"{section}.{n}" for section, last in LINES.items() for n in range(1, last + 1)}
_ROW = re.compile(r"^\| (\d[\d., ]*) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
ROWS = [(ids.split(", "), what, proof) for ids, what, _answer, proof in _ROW.findall(PAGE)]
NAMED = sorted(set(_TEST.findall(PAGE)))


def test_every_line_of_both_levels_is_answered_once() -> None:
    counted = Counter(line for ids, _what, _proof in ROWS for line in ids)
    assert sorted(line for line, times in counted.items() if times > 1) == []
    assert sorted(WANTED - counted.keys()) == []


def test_further_lines_are_marked() -> None:
    further = {line: what for ids, what, _proof in ROWS for line in ids if line not in WANTED}
    assert {line for line, what in further.items() if not what.startswith("L3: ")} == set()


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_named_test_exists(path: str, name: str) -> None:
    text = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)


def test_every_answer_has_a_proof() -> None:
    assert len(NAMED) > 100
    assert [ids for ids, _what, proof in ROWS if len(proof) < 8] == []
