"""The scanner's hook, and the adapter to clamd against a daemon that speaks its protocol."""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.files import checks, scanning, services
from backoffice.files.scanning import Scanner
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import reader
from tests.files import clamd
from tests.sheets.made import book, line, upload

CLAMD = "backoffice.files.clamd.Clamd"


@pytest.fixture
def well(settings: Settings) -> None:
    settings.BACKOFFICE_SCANNER = CLAMD
    settings.BACKOFFICE_SCANNER_SECONDS = 2


@pytest.mark.usefixtures("well")
def test_clamd_finds_the_test_virus_and_nothing_else(settings: Settings) -> None:
    with clamd.running() as settings.BACKOFFICE_CLAMD:
        assert scanning.scan(BytesIO(b"Invoice,StockCode\n")) == ""
        assert scanning.scan(BytesIO(b"")) == ""
        large = BytesIO(b"x" * 300_000 + clamd.EICAR + b"x" * 300_000)
        assert scanning.scan(large) == clamd.NAME
        assert large.tell() == 0


@pytest.mark.usefixtures("well")
def test_clamd_is_asked_over_its_socket(settings: Settings) -> None:
    with (
        TemporaryDirectory() as folder,  # the path of a socket has to be short
        clamd.running(path=Path(folder) / "clamd.ctl") as settings.BACKOFFICE_CLAMD,
    ):
        assert scanning.scan(BytesIO(clamd.EICAR)) == clamd.NAME


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize("mood", ["silent", "broken"])
def test_answer_that_is_none_lets_nothing_through(mood: str, settings: Settings) -> None:
    with (
        clamd.running(mood) as settings.BACKOFFICE_CLAMD,
        pytest.raises(scanning.ScannerError),
    ):
        scanning.scan(BytesIO(b"harmless"))


@pytest.mark.usefixtures("well")
def test_file_too_long_for_the_daemon_is_not_waved_through(settings: Settings) -> None:
    with (
        clamd.running() as settings.BACKOFFICE_CLAMD,
        pytest.raises(scanning.ScannerError),
    ):
        scanning.scan(BytesIO(b"x" * 3 * clamd.STREAM_MAX))


@pytest.mark.django_db
@pytest.mark.usefixtures("well")
def test_infected_upload_is_refused_before_it_is_read_and_on_the_record(
    oli: User, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path  # other tests keep files in the common one
    monkeypatch.setattr(reader, "outline", None)  # whoever reads, fails
    client = Client()
    client.force_login(oli)
    with clamd.running() as settings.BACKOFFICE_CLAMD:
        file = SimpleUploadedFile("orders.csv", clamd.EICAR)
        answer = client.post("/admin/imports/", {"file": file})
    assert answer.status_code == 422
    assert clamd.found(answer.content.decode()) == clamd.NAME
    assert not ImportJob.objects.exists()
    event = Event.objects.get(verb=services.INFECTED)
    assert (event.actor, event.outcome) == (oli, Outcome.REFUSED)
    assert event.context["found"] == clamd.NAME
    assert not list((Path(settings.MEDIA_ROOT) / "imports").glob("*"))


@pytest.mark.django_db
@pytest.mark.usefixtures("well")
def test_nothing_is_taken_while_the_scanner_is_down(oli: User, settings: Settings) -> None:
    settings.BACKOFFICE_CLAMD = clamd.closed_port()
    with pytest.raises(ReadError, match="Try later"):
        upload(book([line()]), oli)
    assert Event.objects.filter(verb=services.NOT_SCANNED, actor=oli).count() == 1
    assert not ImportJob.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("well")
def test_clean_workbook_comes_in(oli: User, settings: Settings) -> None:
    with clamd.running() as settings.BACKOFFICE_CLAMD:
        assert upload(book([line()]), oli).kind == "xlsx"


class Bursting(Scanner):
    def scan(self, file: BinaryIO) -> str:
        raise KeyError(file)


def test_scanner_that_bursts_lets_nothing_through(settings: Settings) -> None:
    settings.BACKOFFICE_SCANNER = f"{__name__}.Bursting"
    with pytest.raises(scanning.ScannerError):
        scanning.scan(BytesIO(b"x"))


@pytest.mark.parametrize(
    ("path", "address", "fine"),
    [
        ("", "", True),
        (CLAMD, "127.0.0.1:3310", True),
        (CLAMD, "[::1]:3310", True),
        (CLAMD, "/run/clamav/clamd.ctl", True),
        (CLAMD, "localhost", False),
        ("backoffice.files.no_such.Scanner", "", False),
        ("backoffice.files.services.Taken", "", False),
    ],
)
def test_wrong_settings_are_found_at_start(
    path: str, address: str, *, fine: bool, settings: Settings
) -> None:
    settings.BACKOFFICE_SCANNER, settings.BACKOFFICE_CLAMD = path, address
    assert [found.id for found in checks.check_scanner()] == ([] if fine else ["files.E001"])
