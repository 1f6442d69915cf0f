"""The map of the house names places that exist."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WHERE = MAP.split("## The six concerns")[0]
# `path` or `path`, `NAME`
PLACES = re.findall(r"`([a-z_]+(?:/[a-z_]*)+(?:\.py)?)`(?:, `([A-Za-z_]+)`)?", WHERE)


@pytest.mark.parametrize(("path", "name"), PLACES)
def test_place_on_the_map_exists(path: str, name: str) -> None:
    place = ROOT / path
    assert place.exists()
    if name:
        assert re.search(
            rf"^(def |class )?{name}\b", place.read_text(encoding="utf-8"), re.MULTILINE
        )


def test_map_names_places() -> None:
    assert len(PLACES) > 8
