"""Files made to do harm, brought in by a page, the API and a watched folder.

Each is a sentence for whoever brought it, no import and no file is left, and the process that took
it neither worked nor held much: the child alone opens the file.
"""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.sheets.models import DroppedFile, ImportHead, ImportJob
from tests.clients import signed_in
from tests.sheets import hostile
from tests.sheets.made import archive, book, line
from tests.sheets.shared_data import shared
from tests.sheets.test_attacks import HEAD, SHEET, TAIL, wrapped
from tests.sheets.test_folders import folder, work
from tests.sheets.test_guard import MAIN, cells, xlsx
from tests.sheets.test_imports_api import HEAD as TITLES
from tests.sheets.test_services import kept_files

__all__ = ["folder"]

pytestmark = pytest.mark.django_db
OK, BAD, UNFIT = 200, 400, 422
GIGABYTE = 1024
ROW = b'<row r="1"><c r="A1"><v>1</v></c></row>' * 26_000
CELL = HEAD + b'<row r="1"><c r="A1" t="inlineStr"><is><t>'


def outside() -> bytes:
    """Return a workbook with a part that points out of it."""
    parts = {"[Content_Types].xml": b"<a/>", "xl/workbook.xml": b"<a/>", "../../evil.xml": b"<a/>"}
    return archive(parts)


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "laughs": (lambda: shared("attack/laughs.xlsx").read_bytes(), "declares entities"),
    "quad": (lambda: shared("attack/quad.xlsx").read_bytes(), "declares entities"),
    "sparse": (lambda: shared("attack/sparse.xlsx").read_bytes(), "too large"),
    "sparse14M": (lambda: shared("attack/sparse14M.xlsx").read_bytes(), "too large"),
    "repeat": (lambda: shared("attack/repeat.ods").read_bytes(), "too large"),
    "gigabyte": (
        lambda: wrapped(hostile.bomb(SHEET, HEAD, ROW, GIGABYTE, TAIL)),
        "unpacks to far more",
    ),
    "cell": (
        lambda: wrapped(hostile.bomb(SHEET, CELL, b"A" * 1024**2, 512, b"</t></is></c></row>")),
        "unpacks to far more",
    ),
    "entity": (
        lambda: xlsx(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + cells()),
        "declares entities",
    ),
    "far": (
        lambda: xlsx(
            f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v></c>'
            '<c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'.encode()
        ),
        "too large",
    ),
    "outside": (outside, "points outside"),
    "wide": (lambda: b"a" + b"," * 100_000 + b"\n", "too large"),
    "broken": (lambda: b"PK\x03\x04 broken", "damaged"),
}


@contextmanager
def bounded() -> Iterator[None]:
    """Refuse a block in which this process grew by more than 100 MB, or it all took too long."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what it holds now
    before, began = _held("VmRSS"), _worked()
    yield
    assert _held("VmHWM") - before < hostile.MEGABYTES / 3
    assert _worked() - began < hostile.SECONDS


def _held(name: str) -> float:
    """Return what this process holds, or held at its peak, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith(name)) / 1024


def _worked() -> float:
    """Return seconds of processor of this process and of its children that ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


@pytest.mark.parametrize("name", FILES)
def test_page_says_it_and_keeps_nothing(name: str, oli: User) -> None:
    made, words = FILES[name]
    file = SimpleUploadedFile("orders.xlsx", made())
    client, before = signed_in(oli), kept_files()
    with bounded():
        answer = client.post(reverse("admin:imports"), {"file": file})
    assert (answer.status_code, words in answer.content.decode()) == (UNFIT, True)
    assert not ImportJob.objects.exists()
    assert not ImportHead.objects.exists()
    assert kept_files() == before
    assert client.get(reverse("admin:imports")).status_code == OK


@pytest.mark.parametrize("name", ["far", "gigabyte", "entity", "outside"])
def test_api_says_it_and_keeps_nothing(name: str, oli: User) -> None:
    made, words = FILES[name]
    client, before = signed_in(oli), kept_files()
    for number in range(2):
        file = SimpleUploadedFile("orders.xlsx", made())
        answer = client.post("/api/v1/imports/", {"file": file, "reference": f"A{number}"})
        assert (answer.status_code, list(answer.json())) == (BAD, ["file"])
        assert words in answer.json()["file"][0]
    assert not ImportJob.objects.exists()
    assert kept_files() == before


def test_shop_and_kept_sheets_refuse_it_alike(oli: User, sol: User) -> None:
    made, words = FILES["far"]
    before = kept_files()
    for user, page in ((oli, "admin:kept"), (sol, "seller:imports")):
        file = SimpleUploadedFile("orders.xlsx", made())
        answer = signed_in(user).post(reverse(page), {"file": file})
        assert (answer.status_code, words in answer.content.decode()) == (UNFIT, True)
    assert not ImportJob.objects.exists()
    assert kept_files() == before


def test_folder_goes_on_with_the_good_one(folder: Path, oli: User) -> None:
    before = kept_files()
    bad = ["far", "gigabyte", "entity", "outside", "broken"]
    for name in bad:
        (folder / f"{name}.xlsx").write_bytes(FILES[name][0]())
    (folder / "good.xlsx").write_bytes(book([line()], head=TITLES))
    work()
    told = dict(DroppedFile.objects.values_list("name", "message"))
    assert all(FILES[name][1] in told[f"{name}.xlsx"] for name in bad)
    refused = DroppedFile.objects.filter(state=DroppedFile.State.REFUSED)
    assert (refused.count(), ImportJob.objects.get().original_name) == (len(bad), "good.xlsx")
    assert len(kept_files()) - len(before) == 1
