"""A mail to ask for: its template stands in a folder of the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from backoffice.mail import registry

NAME = "tests.note"
TEXT = "Dear {{ recipient }},\n{{ what }} waits & waits.\n{{ url }}\n"


@pytest.fixture
def note(tmp_path: Path, settings: Settings) -> Iterator[str]:
    """Register the mail and return its name."""
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / f"{NAME}.txt").write_text(TEXT)
    first = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**first, "DIRS": [str(tmp_path)]}]
    registry.register(NAME, label="Note", subject="%(what)s waits", fields=("what",))
    yield NAME
    registry._templates.pop(NAME)
