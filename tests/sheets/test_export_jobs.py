"""Exports of long lists: made by a job, for the asker alone, while the right lasts, for a day."""

import csv
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice import keyring
from backoffice.accounts import acting
from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs import run
from backoffice.jobs import services as jobs
from backoffice.jobs.models import Job
from backoffice.sheets.exporting import export_jobs
from backoffice.sheets.models import ExportJob
from backoffice.site import permissions
from customers.models import Customer
from tests.clients import signed_in
from tests.factories import make_customer

LIST = "/admin/customers/customer/"
EXPORT = f"{LIST}export/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _few(settings: Settings) -> None:
    settings.BACKOFFICE_EXPORT_AT_ONCE = 2


@pytest.fixture
def rows(db: None) -> list[Customer]:
    return [make_customer(number=f"70{n}", country="PT" if n else "ES") for n in range(4)]


def ask(user: User, query: str = "", **more: Any) -> ExportJob:
    answer = signed_in(user).post(f"{EXPORT}{query}", {"format": "csv", **more})
    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:exports"))
    return ExportJob.objects.get()


def done(export: ExportJob) -> ExportJob:
    assert export.job is not None
    run.execute(export.job.pk)
    return ExportJob.objects.select_related("job", "file").get(pk=export.pk)


def content(export: ExportJob) -> list[list[str]]:
    assert export.file is not None
    text = b"".join(export.file.chunks()).decode("utf-8-sig")
    return list(csv.reader(StringIO(text, newline="")))


def download(user: User, export: ExportJob) -> Any:
    return signed_in(user).get(reverse("admin:export_file", args=[export.public_id]), follow=True)


def test_long_list_is_written_by_a_job_as_it_would_be_at_once(
    rows: list[Customer], kim: User, settings: Settings
) -> None:
    made = done(ask(kim))
    assert made.job is not None
    assert (made.job.state, made.rows, made.job.result) == (Job.State.DONE, 4, {"rows": 4})
    settings.BACKOFFICE_EXPORT_AT_ONCE = 4
    at_once = signed_in(kim).post(EXPORT, {"format": "csv"}).getvalue()
    answer = download(kim, made)
    assert b"".join(answer.streaming_content) == at_once
    assert answer.headers["Content-Disposition"] == 'attachment; filename="customer.csv"'
    head, *lines = content(made)
    assert head[0] == "Number"
    assert [line[0] for line in lines] == ["700", "701", "702", "703"]


def test_filter_columns_and_way_hold_for_the_job(rows: list[Customer], kim: User) -> None:
    made = done(ask(kim, "?country=PT", column=["number", "born"], stored="1"))
    assert content(made)[0] == ["Number", "Born"]
    assert [line[0] for line in content(made)[1:]] == ["701", "702", "703"]
    assert made.filter == {"country": "PT"}


def test_filter_lies_sealed_and_goes_with_the_job(rows: list[Customer], kim: User) -> None:
    export = ask(kim, "?country=PT")
    assert "PT" not in export.sealed_query
    assert keyring.open_sealed(export.sealed_query, use=export.use) == "country=PT"
    assert done(export).sealed_query == ""


def test_what_somebody_typed_stands_in_no_row(
    rows: list[Customer], kim: User, settings: Settings
) -> None:
    settings.BACKOFFICE_EXPORT_AT_ONCE = -1
    assert ask(kim, "?country=Anna+Lindqvist").filter == {"country": "*"}
    kept = [*ExportJob.objects.values(), *Job.objects.values(), *Event.objects.values("context")]
    assert "Lindqvist" not in str(kept)


def test_asking_making_and_taking_are_on_the_record(rows: list[Customer], kim: User) -> None:
    export = ask(kim)
    assert not Event.objects.filter(verb="record.exported").exists()
    asked = Event.objects.get(verb=export_jobs.ASKED)
    assert (asked.actor, asked.context["rows"], asked.context["format"]) == (kim, 4, "csv")
    made = done(export)
    event = Event.objects.get(verb="record.exported")
    assert made.file is not None
    assert (event.actor, event.context["rows"], event.context["sha256"]) == (
        kim, 4, made.file.sha256,
    )  # fmt: skip
    download(kim, made)
    assert Event.objects.filter(verb="files.downloaded", actor=kim).count() == 1


def test_file_lies_encrypted_masked_and_for_a_day(rows: list[Customer], kim: User) -> None:
    made = done(ask(kim))
    assert made.file is not None
    assert b"Number" not in Path(made.file.file.path).read_bytes()
    assert timedelta(hours=23) < made.file.expires_at - timezone.now() <= timedelta(hours=24)
    KeptFile.objects.update(expires_at=timezone.now())
    assert download(kim, made).status_code == 404
    files.forget()
    page = signed_in(kim).get(reverse("admin:exports")).content.decode()
    assert "Expired" in page


def test_file_is_for_nobody_else(rows: list[Customer], kim: User, eve: User) -> None:
    made = done(ask(kim))
    assert download(eve, made).status_code == 404
    assert made.file is not None
    stop = reverse("admin:export_stop", args=[made.public_id])
    assert signed_in(eve).post(stop).status_code == 404
    assert "No exports" in signed_in(eve).get(reverse("admin:exports")).content.decode()


def without_right(user: User, codename: str = "export_customer") -> None:
    for group in user.groups.all():
        group.permissions.remove(Permission.objects.get(codename=codename))


def test_right_that_is_lost_before_the_job_gives_nothing(rows: list[Customer], kim: User) -> None:
    export = ask(kim)
    without_right(kim)
    made = done(export)
    assert made.job is not None
    assert (made.job.state, made.file, made.rows) == (Job.State.FAILED, None, None)
    assert "lost the right" in made.job.message
    assert Event.objects.get(verb="record.exported").outcome == "refused"
    assert not KeptFile.objects.exists()


def test_right_that_is_lost_after_the_job_closes_the_file(rows: list[Customer], kim: User) -> None:
    made = done(ask(kim))
    without_right(kim)
    assert download(kim, made).status_code == 403


def test_person_who_is_blocked_before_the_job_gets_nothing(rows: list[Customer], kim: User) -> None:
    export = ask(kim)
    User.objects.filter(pk=kim.pk).update(is_active=False)
    assert done(export).file is None


def test_scope_of_the_person_holds_when_the_job_runs(
    rows: list[Customer], kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(kim)
    fewer = lambda _user, found, **_more: found.filter(number="702")  # noqa: E731
    monkeypatch.setattr(permissions, "scope", fewer)
    assert [line[0] for line in content(done(export))[1:]] == ["702"]


def test_column_that_nobody_offers_is_refused(rows: list[Customer], kim: User) -> None:
    for name in ("email_index", "orders__number", "pk", "__class__"):
        answer = signed_in(kim).post(EXPORT, {"format": "csv", "column": ["number", name]})
        assert answer.status_code == 400
    assert not ExportJob.objects.exists()


def test_nobody_without_the_right_starts_a_job(rows: list[Customer], nia: User) -> None:
    assert signed_in(nia).post(EXPORT, {"format": "csv"}).status_code == 403
    assert signed_in(nia).get(f"{LIST}export-choose/").status_code == 403
    assert not ExportJob.objects.exists()


def test_job_that_is_stopped_leaves_no_file(
    rows: list[Customer], kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(kim)

    def stopped(*_args: object) -> None:
        jobs.cancel(export.job, actor=kim)  # type: ignore[arg-type]
        raise run.CancelledError

    monkeypatch.setattr(run.JobRun, "progress", stopped)
    made = done(export)
    assert made.job is not None
    assert (made.job.state, made.file) == (Job.State.CANCELLED, None)
    assert not KeptFile.objects.exists()


def test_stop_button_stops_a_waiting_job(rows: list[Customer], kim: User) -> None:
    export = ask(kim)
    stop = reverse("admin:export_stop", args=[export.public_id])
    assert signed_in(kim).get(stop).status_code == 405
    assert signed_in(kim).post(stop).status_code == 302
    assert Job.objects.get().state == Job.State.CANCELLED


def test_second_run_of_the_handler_makes_no_second_file(rows: list[Customer], kim: User) -> None:
    made = done(ask(kim))
    assert made.job is not None
    Job.objects.update(state=Job.State.QUEUED)
    run.execute(made.job.pk)
    assert KeptFile.objects.count() == 1
    assert Event.objects.filter(verb="record.exported").count() == 1


def test_failure_at_the_end_leaves_neither_row_nor_file(
    rows: list[Customer], kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(kim)
    monkeypatch.setattr(export_jobs, "record", lambda *_args, **_more: 1 / 0)
    made = done(export)
    assert (made.file, made.made_at, KeptFile.objects.count()) == (None, None, 0)
    assert made.sealed_query


def test_forgotten_filters_are_dropped_after_a_day(rows: list[Customer], kim: User) -> None:
    export = ask(kim)
    assert export_jobs.forget_queries() == 0
    ExportJob.objects.update(asked_at=timezone.now() - timedelta(hours=25))
    assert export_jobs.forget_queries() == 1
    made = done(export)
    assert made.job is not None
    assert "too old" in made.job.message


def test_nobody_asks_while_acting_for_somebody(
    rows: list[Customer], kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise PermissionDenied

    monkeypatch.setattr(acting, "refuse", refuse)
    assert signed_in(kim).post(EXPORT, {"format": "csv"}).status_code == 403
    assert not ExportJob.objects.exists()


def test_auditor_sees_whose_exports_there_were_and_no_file(
    rows: list[Customer], kim: User, ada: User
) -> None:
    made = done(ask(kim))
    page = signed_in(ada).get(reverse("admin:exports")).content.decode()
    assert str(kim) in page
    assert reverse("admin:export_file", args=[made.public_id]) not in page


def test_dialog_offers_the_columns_and_says_how_the_file_comes(
    rows: list[Customer], kim: User
) -> None:
    page = signed_in(kim).get(f"{LIST}export-choose/?country=PT").content.decode()
    assert f'action="{EXPORT}?country=PT"' in page
    assert "3 rows, as a job" in page
    assert "Phone (masked)" in page


def test_page_of_exports_asks_no_more_for_more_rows(rows: list[Customer], kim: User) -> None:
    client, counts = signed_in(kim), []
    for _turn in range(2):
        for _more in range(3):
            client.post(EXPORT, {"format": "csv"})
        client.get(reverse("admin:exports"))
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse("admin:exports"))
        counts.append(len(asked))
    assert counts[0] == counts[1]
