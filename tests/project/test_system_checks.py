"""Each system check says what to do, stands in a guide, and has a test that names it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
ID = re.compile(r"[a-z]+\.E\d{3}")
PLACES = ("backoffice", "customers", "orders", "payments", "reports", "sellers")


def made() -> Iterator[ast.Call]:
    """Yield the calls that make an error of a check."""
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ID.fullmatch(_words(node).get("id", "")):
                    yield node


def _words(call: ast.Call) -> dict[str, str]:
    """Return the keywords of a call, those that are no text as ""."""
    return {
        str(one.arg): str(one.value.value) if isinstance(one.value, ast.Constant) else ""
        for one in call.keywords
    }


def ids() -> set[str]:
    """Return the ids of all checks, those that stand in a call of their own too."""
    texts = [path.read_text(encoding="utf-8") for place in PLACES
             for path in (ROOT / place).rglob("*.py")]  # fmt: skip
    return {one.strip('"') for text in texts for one in re.findall(r'"[a-z]+\.E\d{3}"', text)}


def test_each_error_has_a_hint() -> None:
    calls = list(made())
    assert len(calls) > 20
    assert [_words(call)["id"] for call in calls if "hint" not in _words(call)] == []


@pytest.mark.parametrize("check", sorted(ids()))
def test_check_stands_in_a_guide_and_in_a_test(check: str) -> None:
    rows = [line.split("|")[1] for guide in (ROOT / "docs").glob("*.md")
            for line in guide.read_text(encoding="utf-8").splitlines()
            if line.startswith("|")]  # fmt: skip
    assert any(check in ID.findall(row) for row in rows)
    tests = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert any(f'"{check}"' in text for text in tests)
