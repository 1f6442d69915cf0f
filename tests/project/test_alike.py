"""What runs on SQLite alone is named by files that are there, and never what a database decides."""

from pathlib import Path, PurePath

import pytest

from tests.alike import ALIKE, is_alike

TESTS = Path(__file__).resolve().parents[1]
# Words of tests that ask for what differs by database: more than one transaction, or its own rules.
_DECIDES = ("transaction=True", "transactional_db", "pytest.mark.postgres", "select_for_update")


@pytest.mark.parametrize("name", ALIKE)
def test_named_file_is_there_and_asks_no_database(name: str) -> None:
    text = (TESTS / name).read_text(encoding="utf-8")
    assert [word for word in _DECIDES if word in text] == []


def test_only_what_is_named_is_left_out() -> None:
    ours = PurePath("tests/leaks/test_our_pages.py")
    assert is_alike(ours, "test_channel[admin index]")
    assert not is_alike(ours, "test_channel[search oracle ?q= by name]")
    assert is_alike(PurePath("tests/site/test_theme.py"), "test_anything")
    assert not is_alike(PurePath("tests/masking/test_lookups.py"), "test_anything")
