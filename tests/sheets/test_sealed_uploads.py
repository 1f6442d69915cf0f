"""Uploaded files lie sealed: nothing of them is on a disk in clear, from the upload to the end."""

import tempfile
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, ClassVar

import pytest
from django.conf import settings as project
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from backoffice.accounts import sealed
from backoffice.accounts.models import User
from backoffice.files.scanning import Scanner
from backoffice.jobs.run import execute
from backoffice.masking.mentions import Mentions
from backoffice.sheets import places, services, workbooks
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import guard
from orders.models import Order
from tests.canaries import Canary, leaks
from tests.clients import signed_in
from tests.sheets.made import HEAD, book, check, line, run, upload

pytestmark = pytest.mark.django_db
CANARY = Canary("note", "Wyqzvik Zqupload", ("Wyqzvik", "Zqupload"))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """Give the test a temporary folder and a folder of people's files of its own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def on_disk() -> list[str]:
    """Return what of the canary lies in the folders of files, unpacked too."""
    folders = (Path(project.MEDIA_ROOT), Path(tempfile.gettempdir()))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [leak for path in files for leak in leaks(path.read_bytes(), [CANARY], str(path))]


def content(name: str, rows: int) -> bytes:
    """Return a sheet each row of which holds the canary; the last row cannot be imported."""
    made = [[*line(600001 + number), f"{CANARY.value} {number}"] for number in range(rows)]
    made.append([*line(500001, quantity="two"), CANARY.value])
    head = (*HEAD, "Note")
    if name.endswith("xlsx"):
        return book(made, head=head)
    return "".join(",".join(map(str, row)) + "\n" for row in [head, *made]).encode()


@pytest.mark.parametrize("name", ["orders.xlsx", "orders.csv"])
def test_nothing_of_an_upload_lies_in_clear(oli: User, temporary: Path, name: str) -> None:
    given = content(name, 30)
    (temporary / "seen").write_bytes(given)
    assert on_disk() != []  # who looks would find it
    (temporary / "seen").unlink()
    job = upload(given, oli, name)
    assert (job.kind, on_disk()) == (name.rpartition(".")[2], [])
    check(job)
    page = signed_in(oli).get(f"/admin/imports/{job.public_id}/check/")
    assert page.context_data is not None
    assert (page.status_code, bool(page.context_data["preview"]), on_disk()) == (200, True, [])
    run(job)
    assert (job.state, Order.objects.count(), on_disk()) == (ImportJob.State.DONE, 30, [])
    assert leaks(workbooks.failed_rows(job), [CANARY]) != []
    assert on_disk() == []
    assert list(temporary.iterdir()) == []


class Spy(Scanner):
    """Looks, while the upload is in hand, at every temporary file that is open, named or not."""

    seen: ClassVar[list[bytes]] = []

    def scan(self, file: BinaryIO) -> str:
        folder = tempfile.gettempdir()
        for link in Path("/proc/self/fd").iterdir():
            if link.exists() and str(link.readlink()).startswith(folder):
                self.seen.append(link.read_bytes())
        return ""


def test_upload_that_is_too_large_for_memory_waits_sealed(oli: User, settings: Settings) -> None:
    settings.BACKOFFICE_SCANNER = f"{__name__}.Spy"
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    Spy.seen.clear()
    given = content("orders.csv", 3000)
    file = SimpleUploadedFile("orders.csv", given)
    answer = signed_in(oli).post("/admin/imports/", {"file": file})
    assert answer.status_code == 302
    assert [len(one) > len(given) for one in Spy.seen] == [True]
    assert [leak for one in Spy.seen for leak in leaks(one, [CANARY])] == []
    job = ImportJob.objects.get()
    with job.open() as clear:
        assert (clear.read() == given, job.size) == (True, len(given))
    assert on_disk() == []


def test_file_from_before_files_were_sealed_goes_and_is_not_read(oli: User) -> None:
    job = check(upload(book([line()]), oli))
    path = Path(job.file.path)
    path.write_bytes(book([line()]))
    ImportJob.objects.filter(pk=job.pk).update(sealed_key="")
    execute(services.start(job, actor=oli).pk)
    assert not Order.objects.exists()
    assert (services.forget(), path.exists()) == (1, False)


def test_a_new_key_opens_what_an_older_one_sealed(oli: User, settings: Settings) -> None:
    job = upload(book([line()]), oli)
    settings.BACKOFFICE_KEYS = [("new", "n" * 40), *settings.BACKOFFICE_KEYS]
    assert sealed.check()["uploaded sheets"].old == 1
    assert sealed.rotate()["uploaded sheets"] == 1
    settings.BACKOFFICE_KEYS = settings.BACKOFFICE_KEYS[:1]
    job.refresh_from_db()
    assert run(check(job)).state == ImportJob.State.DONE


def test_an_erasure_looks_into_what_lies_sealed(oli: User) -> None:
    named = upload(content("a.csv", 3), oli, "a.csv")
    other = upload(book([line()]), oli)
    mentions = Mentions([("name", CANARY.value)])
    assert [places._holds(job, mentions) for job in (named, other)] == [True, False]


def large(size: int) -> Iterator[bytes]:
    """Yield a csv of about `size` bytes."""
    yield (",".join(HEAD) + "\n").encode()
    row = (",".join(map(str, line())) + ",0123456789" * 40 + "\n").encode()
    for _number in range(size // (100 * len(row))):
        yield row * 100


def test_large_file_is_held_once_at_most(oli: User) -> None:
    """The parent holds chunks; what holds the file is the child, which ends with it."""
    file = SimpleUploadedFile("large.csv", b"".join(large(guard.MAX_BYTES - 1_000_000)))
    tracemalloc.start()
    job = services.take(file, oli)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
    with job.open() as clear:
        assert clear.read(len("Invoice")) == b"Invoice"


def test_larger_file_than_may_be_is_refused_unread(oli: User) -> None:
    file = SimpleUploadedFile("large.csv", b"")
    file.size = guard.MAX_BYTES + 1
    with pytest.raises(ReadError, match="64 MB"):
        services.take(file, oli)
    assert BytesIO(file.read()).read() == b""
