"""What a look into a file costs the process of the pages: little, whatever the file holds."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.sheets.errors import ReadError
from backoffice.sheets.intake import batches
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import patience, reader
from tests.clients import signed_in
from tests.sheets import made
from tests.sheets.made import book, upload

LONG = "é" * 32_000
SHARED = "".join(f"é{number * number:x}" for number in range(5000))[:32_000]
"""Packs less well: stored once, and shared by cells."""


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the lengths of what this process reads from the child, in bytes."""
    sizes: list[int] = []
    loads = json.loads

    def noted(data: bytes) -> object:
        sizes.append(len(data))
        return loads(data)

    monkeypatch.setattr(json, "loads", noted)
    return sizes


@pytest.mark.parametrize(
    "content",
    [
        f"name,note\n1,{'é' * 900_000}\n2,{'é' * 900_000}\n",
        "\n".join(",".join([LONG[:300]] * 1500) for _row in range(40)),
        book([[SHARED] * 8] * 60),
    ],
)
def test_look_holds_little_of_a_file_of_long_texts(
    content: bytes | str, tmp_path: Path, lines: list[int]
) -> None:
    _inspection, sheets, _notes = reader.outline(written(tmp_path, content), limit=40)
    texts = [cell for one in sheets for row in one.head for cell in row.cells]
    assert max(len(text) for text in texts if isinstance(text, str)) <= batches.HEAD_TEXT
    assert sum(lines) < reader.LONGEST_HEAD
    assert sheets[0].rows in {3, 40, 61}


def test_rows_of_long_texts_come_in_short_lines(tmp_path: Path, lines: list[int]) -> None:
    content = "".join(f"{number},{LONG}\n" for number in range(300))
    rows = list(reader.rows(written(tmp_path, content)))
    assert [(row.number, row.cells) for row in rows] == [
        (number + 1, (str(number), LONG)) for number in range(300)
    ]
    assert max(lines) < reader.LONGEST_HEAD


def test_row_that_is_longer_than_may_be_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "LONGEST_HEAD", 1000)
    begun = time.monotonic()
    with pytest.raises(ReadError, match="too much memory"):
        reader.outline(written(tmp_path, ",".join(["word"] * 1900)))
    # The child is not waited for: it waits itself to be read on.
    assert time.monotonic() - begun < patience.ON_WALL / 2


def test_looks_of_one_request_share_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock: Iterator[int] = count(step=25)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    path = written(tmp_path, "a,b\n1,2\n")
    with patience.shared():
        reader.outline(path)
        reader.outline(path)
        with pytest.raises(ReadError, match="too long"):
            reader.outline(path)


def test_look_without_a_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "QUEUE", 0)
    path = written(tmp_path, "a,b\n1,2\n")
    with ExitStack() as stack:
        for _place in range(patience.AT_ONCE):
            stack.enter_context(patience.look())
        with pytest.raises(ReadError, match="Try again"):
            reader.outline(path)
    assert reader.outline(path)[1][0].rows == 2


def test_child_that_uses_up_its_processor_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = tmp_path / "busy.py"
    busy.write_text(
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass\n"
    )
    monkeypatch.setattr(reader, "CHILD", busy)
    with pytest.raises(ReadError, match="too long"):
        reader.inspect(written(tmp_path, "a,b\n"))


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["imports", "kept"])
def test_uploads_of_one_person_are_counted(page: str, oli: User, settings: Settings) -> None:
    settings.BACKOFFICE_UPLOADS_PER_HOUR = 2
    browser = signed_in(oli)
    for _time in range(2):
        file = {"file": _file()}
        assert browser.post(reverse(f"admin:{page}"), file).status_code == 302
    assert browser.post(reverse(f"admin:{page}"), {"file": _file()}).status_code == 429
    assert ImportJob.objects.count() == 2
    upload(book([made.line()]), oli)  # not on a page: nobody waits


@pytest.mark.django_db
def test_workbook_of_failed_rows_takes_a_place_too(
    oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = made.check(upload(book([made.line(quantity="many")]), oli))
    browser, address = signed_in(oli), reverse("admin:import_failed", args=[job.public_id])
    monkeypatch.setattr(patience, "QUEUE", 0)
    with ExitStack() as stack:
        for _place in range(patience.AT_ONCE):
            stack.enter_context(patience.look())
        busy = browser.post(address, follow=True).content.decode()
    assert "Try again in a minute" in busy
    assert "/files/" in browser.post(address)["Location"]


def _file() -> SimpleUploadedFile:
    return SimpleUploadedFile("cups.xlsx", book([made.line()]))
