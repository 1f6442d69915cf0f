"""What runs on SQLite alone is named by files that are there, and never what a database decides."""

from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.alike import ALIKE, is_alike
from tests.conftest import differs

TESTS = Path(__file__).resolve().parents[1]
# Words of tests that ask for what differs by database.
_DECIDES = ("transactional_db", "pytest.mark.postgres", "select_for_update")


@pytest.mark.parametrize("name", ALIKE)
def test_named_file_is_there_and_asks_no_database(name: str) -> None:
    text = (TESTS / name).read_text(encoding="utf-8")
    assert [word for word in _DECIDES if word in text] == []


def marked(**asked: bool) -> pytest.Item:
    """Return what stands for a test of a file of which no database decides anything."""
    marks = {"django_db": pytest.mark.django_db(**asked).mark}
    item: Any = SimpleNamespace(path=TESTS / "site" / "test_theme.py", name="test_anything")
    item.get_closest_marker = marks.get
    return cast("pytest.Item", item)


def test_more_than_one_transaction_is_for_both_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.conftest.WHOLE", False)
    assert differs(marked(transaction=True))
    assert not differs(marked())


def test_only_what_is_named_is_left_out() -> None:
    ours = PurePath("tests/leaks/test_our_pages.py")
    assert is_alike(ours, "test_channel[admin index]")
    assert not is_alike(ours, "test_channel[search oracle ?q= by name]")
    assert is_alike(PurePath("tests/site/test_theme.py"), "test_anything")
    assert not is_alike(PurePath("tests/masking/test_lookups.py"), "test_anything")
