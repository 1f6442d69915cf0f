"""Pages of imports: who opens which, and what they do."""

from datetime import datetime
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.sheets import services
from backoffice.sheets.models import ImportJob
from orders.models import Order
from tests.clients import signed_in
from tests.people import make_person
from tests.sheets.made import book, bring_in, check, line, upload

pytestmark = pytest.mark.django_db
PAGES = ("import", "import_sheets", "import_mapping", "import_check", "import_problems",
         "import_run", "import_progress", "import_result", "import_failed")  # fmt: skip
BAD = [line(), line(600002, quantity="three")]


def address(name: str, job: ImportJob) -> str:
    return reverse(f"admin:{name}", kwargs={"number": job.public_id})


def test_journey(oli: User) -> None:
    client = signed_in(oli)
    file = SimpleUploadedFile("orders.xlsx", book(BAD))
    answer = client.post(reverse("admin:imports"), {"file": file})
    job = ImportJob.objects.get()
    assert answer.headers["Location"] == address("import_sheets", job)
    page = client.get(address("import_sheets", job)).content.decode()
    assert "StockCode" in page
    answer = client.post(address("import_sheets", job), {"sheet": ["A"]})
    assert answer.headers["Location"] == address("import_mapping", job)
    assert "B · StockCode" in client.get(address("import_mapping", job)).content.decode()
    columns = {f"column-0-{key}": place for key, place in job.mapping["A"]["columns"].items()}
    answer = client.post(address("import_mapping", job), {"format": job.format, **columns})
    assert answer.headers["Location"] == address("import_run", job)
    assert "Waiting for a worker" in client.get(address("import_run", job)).content.decode()
    execute(Job.objects.get(kind=services.CHECK).pk)
    page = client.get(address("import_check", job)).content.decode()
    assert "Not a whole number" in page
    assert "ENAMEL CUP" in page
    assert not Order.objects.exists()
    answer = client.post(address("import_check", job))
    assert answer.headers["Location"] == address("import_run", job)
    execute(Job.objects.get(kind=services.IMPORT).pk)
    assert client.get(address("import_progress", job)).json()["finished"] is True
    page = client.get(address("import_result", job)).content.decode()
    assert "To the penny" in page
    assert Order.objects.count() == 1
    rows = reverse("admin:import_rows", kwargs={"number": job.public_id, "dataset": "orders"})
    assert "600001" in client.get(rows).content.decode()


def test_failed_rows_are_a_recorded_download(oli: User) -> None:
    job = bring_in(book(BAD), oli)
    answer = signed_in(oli).post(address("import_failed", job), follow=True)
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    sheet = load_workbook(BytesIO(content))["A"]
    assert sheet["D2"].value == "three"
    assert Event.objects.filter(verb=services.FAILED_ROWS, actor=oli).count() == 1


def test_get_changes_nothing(oli: User) -> None:
    job = check(upload(book(BAD), oli))
    client = signed_in(oli)
    before = (list(ImportJob.objects.values()), Job.objects.count(), Event.objects.count())
    for name in PAGES:
        assert client.get(address(name, job)).status_code in {200, 302}, name
    assert (list(ImportJob.objects.values()), Job.objects.count(), Event.objects.count()) == before


@pytest.mark.parametrize("who", ["eve", "max_", "nia", "gus"])
def test_people_without_the_right_are_refused(
    who: str, oli: User, request: pytest.FixtureRequest
) -> None:
    job = bring_in(book(BAD), oli)
    client = signed_in(request.getfixturevalue(who))
    assert client.get(reverse("admin:imports")).status_code == 403
    assert client.post(reverse("admin:imports")).status_code == 403
    for name in PAGES:
        assert client.get(address(name, job)).status_code == 403, name
        assert client.post(address(name, job)).status_code in {403, 405}, name


def test_seller_and_stranger_are_sent_away(oli: User, sol: User) -> None:
    job = bring_in(book(BAD), oli)
    for client in (signed_in(sol), Client()):
        for name in PAGES:
            assert client.get(address(name, job)).status_code == 302, name


def test_auditor_looks_and_does_nothing(oli: User, ada: User) -> None:
    job = check(upload(book(BAD), oli))
    client = signed_in(ada)
    assert "Workbook or csv file" not in client.get(reverse("admin:imports")).content.decode()
    page = client.get(address("import_check", job)).content.decode()
    assert "Not a whole number" in page
    # The preview shows rows of the file: only to the person whose file it is.
    assert "ENAMEL CUP" not in page
    for name in ("import_sheets", "import_check", "import_failed"):
        assert client.post(address(name, job), {"sheet": "A"}).status_code == 403, name
    assert client.post(reverse("admin:imports")).status_code == 403
    job.refresh_from_db()
    assert job.state == ImportJob.State.CHECKED


def test_another_person_of_operations_cannot_start_mine(oli: User) -> None:
    job = check(upload(book(BAD), oli))
    client = signed_in(make_person("ola", "ops"))
    assert client.post(address("import_check", job)).status_code == 403
    assert client.post(address("import_failed", job)).status_code == 403


def test_bad_file_is_said_in_the_form(oli: User) -> None:
    file = SimpleUploadedFile("a.xlsx", b"PK\x03\x04 broken")
    answer = signed_in(oli).post(reverse("admin:imports"), {"file": file})
    assert answer.status_code == 422
    assert "damaged" in answer.content.decode()


def test_needed_column_is_asked_for_and_nothing_typed_is_lost(oli: User) -> None:
    job = upload(book(BAD), oli)
    columns = {f"column-0-{key}": place for key, place in job.mapping["A"]["columns"].items()}
    columns["column-0-quantity"] = ""
    columns["column-0-country"] = 2
    columns["column-0-description"] = ""
    answer = signed_in(oli).post(address("import_mapping", job), columns)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Say which column holds: Quantity." in page
    assert '<option value="2" selected>C · Description</option>' in page
    assert not Job.objects.exists()


def test_preview_shows_no_text_of_other_columns(oli: User) -> None:
    job = check(upload(book([line(600001, customer="anna@example.com")]), oli))
    page = signed_in(oli).get(address("import_check", job)).content.decode()
    assert "anna@example.com" not in page
    assert "(16 characters)" in page


def test_nothing_ready_is_not_offered_to_be_imported(oli: User) -> None:
    for rows, offered in (([line(quantity="three")], False), (BAD, True)):
        job = check(upload(book(rows), oli))
        for name in ("import_check", "import_difference"):
            page = signed_in(oli).get(address(name, job)).content.decode()
            assert ('name="do" value="start"' in page) is offered, name
        page = signed_in(oli).get(address("import_check", job)).content.decode()
        assert ("None of the rows can be imported." in page) is not offered


def test_list_needs_the_same_queries_for_more_imports(oli: User) -> None:
    client = signed_in(oli)
    counts = []
    for _number in range(3):
        upload(book([line(at=datetime(2011, 7, 1))]), oli)  # noqa: DTZ001 - a sheet has no zones
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("admin:imports"))
        counts.append(len(queries))
    assert counts[0] == counts[2]
