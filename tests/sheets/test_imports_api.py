"""Imports by the API: the way of the pages, with their rights, and once for each reference."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from backoffice.accounts import tokens
from backoffice.accounts.models import User
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.sheets import api, services
from backoffice.sheets.models import ImportHead, ImportJob, Undo
from orders.models import Order
from tests.clients import signed_in
from tests.people import allow, make_person
from tests.sheets import suppliers
from tests.sheets.made import book, line

LIST = "/api/v1/imports/"
HEAD = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID",
    "Country",
)  # fmt: skip
OK, CREATED, BAD, FORBIDDEN, MISSING, TOO_MANY = 200, 201, 400, 403, 404, 429


def work() -> None:
    """Do what waits."""
    for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
        execute(job.pk)


def drop(client: Client, content: bytes, **more: str) -> Any:
    return client.post(LIST, {"file": SimpleUploadedFile("orders.xlsx", content), **more})


def post(client: Client, number: str, verb: str, **data: str) -> Any:
    return client.post(f"{LIST}{number}/{verb}/", data, content_type="application/json")


@pytest.mark.django_db
def test_uploads_are_counted_with_those_of_the_pages(oli: User, settings: Settings) -> None:
    settings.BACKOFFICE_UPLOADS_PER_HOUR = 1
    client = signed_in(suppliers.keep_profiles(oli))
    content = book([line()], head=HEAD)
    assert drop(client, content, reference="A").status_code == CREATED
    assert drop(client, content, reference="A").status_code == OK  # known: nothing is read
    again = drop(client, content, reference="B")
    assert (again.status_code, "Retry-After" in again) == (TOO_MANY, True)
    file = SimpleUploadedFile("orders.xlsx", content)
    assert client.post("/admin/imports/", {"file": file}).status_code == TOO_MANY
    assert ImportJob.objects.count() == 1


@pytest.mark.django_db
def test_file_is_taken_checked_started_and_undone(oli: User) -> None:
    client = signed_in(suppliers.keep_profiles(oli))
    content = book([line(), line(code="", price=2)], head=HEAD)
    taken = drop(client, content, profile="Online Retail")
    assert taken.status_code == CREATED, taken.json()
    number = taken.json()["number"]
    assert taken["Location"].endswith(f"{LIST}{number}/")
    assert (taken.json()["state"], taken.json()["origin"]) == ("checking", "api")
    assert taken.json()["profile"] == "Online Retail"
    work()
    checked = client.get(f"{LIST}{number}/").json()
    assert checked["state"] == "checked"
    assert (checked["check"]["read"], checked["check"]["failed"]) == (2, 1)
    problems = client.get(f"{LIST}{number}/problems/").json()
    assert problems["count"] == 1
    assert (problems["results"][0]["row"], problems["results"][0]["outcome"]) == (3, "failed")
    assert not Order.objects.exists()

    assert post(client, number, "start").json()["state"] == "running"
    work()
    done = client.get(f"{LIST}{number}/").json()
    assert (done["state"], done["undone"]) == ("done", None)
    assert done["written"]["created"] > 0
    assert post(client, number, "start").status_code == BAD

    assert post(client, number, "undo", reason="Wrong list").json()["state"] == "undoing"
    work()
    undone = client.get(f"{LIST}{number}/").json()
    assert (undone["state"], undone["undone"]["deleted"]) == ("undone", done["written"]["created"])
    assert Undo.objects.get().reason == "Wrong list"
    assert post(client, number, "undo").status_code == BAD


@pytest.mark.django_db
def test_one_reference_makes_one_import_of_a_person(oli: User) -> None:
    client = signed_in(oli)
    first = drop(client, book([line()]), reference="day-1")
    again = drop(client, book([line(code=10002)]), reference="day-1")
    assert (first.status_code, again.status_code) == (CREATED, OK)
    assert first.json()["number"] == again.json()["number"]
    assert ImportJob.objects.count() == 1
    other = signed_in(make_person("opa", "ops"))
    assert drop(other, book([line()]), reference="day-1").status_code == CREATED
    assert drop(client, book([line()])).status_code == CREATED
    assert drop(client, book([line()])).status_code == CREATED


@pytest.mark.django_db
def test_what_cannot_be_read_is_refused_and_leaves_nothing(oli: User) -> None:
    client = signed_in(oli)
    for wrong in (drop(client, b"\x7fELF no sheet"), drop(client, b""), client.post(LIST, {})):
        assert wrong.status_code == BAD
        assert "file" in wrong.json()
    unknown = drop(client, book([line()]), profile="Nobody's")
    assert (unknown.status_code, list(unknown.json())) == (BAD, ["profile"])
    assert client.post(LIST, {"file": "x"}, content_type="application/json").status_code == 415
    assert not ImportJob.objects.exists()


@pytest.mark.django_db
def test_who_may_only_look_can_write_nothing(oli: User, ada: User) -> None:
    number = drop(signed_in(oli), book([line()])).json()["number"]
    work()
    viewer = signed_in(ada)
    assert viewer.get(f"{LIST}{number}/").status_code == OK
    assert drop(viewer, book([line()])).status_code == FORBIDDEN
    for verb in ("check", "start", "undo"):
        assert post(viewer, number, verb).status_code == FORBIDDEN
    colleague = signed_in(make_person("opa", "ops"))
    for verb in ("check", "start"):
        assert post(colleague, number, verb).status_code == FORBIDDEN
    stranger = signed_in(make_person("gil"))
    for address in (LIST, f"{LIST}{number}/", f"{LIST}{number}/problems/"):
        assert stranger.get(address).status_code == FORBIDDEN
    assert ImportJob.objects.get().state == ImportJob.State.CHECKED


@pytest.mark.django_db
def test_token_needs_the_scope_to_write(oli: User) -> None:
    user = allow(oli, "sheets.view_importjob")
    for names, status in ((["imports:read"], FORBIDDEN), (["imports:write"], CREATED)):
        wish = tokens.Wish("Drops", names, 1)
        text = tokens.make(user, wish, actor=user, reason="Test").text
        client = Client(headers={"Authorization": f"Bearer {text}"})
        assert drop(client, book([line()])).status_code == status
    missing = "00000000-0000-4000-8000-000000000000"
    assert signed_in(oli).get(f"{LIST}{missing}/").status_code == MISSING


@pytest.mark.django_db
def test_second_of_two_equal_references_leaves_nothing_of_its_file(
    oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(suppliers.keep_profiles(oli))
    content = book([line()], head=HEAD)
    assert drop(client, content, reference="A").status_code == CREATED
    # Both asked before either was there.
    monkeypatch.setattr(api.ImportViewSet, "_known", lambda *_args: None)
    assert drop(client, content, reference="A").status_code == BAD
    lost = ImportJob.objects.get(reference="")
    assert (str(lost.file), lost.state) == ("", ImportJob.State.CANCELLED)
    assert not ImportHead.objects.filter(import_job=lost).exists()
    # What was left by whoever let go of a file alone goes as well.
    kept = ImportJob.objects.get(reference="A")
    assert ImportHead.objects.filter(import_job=kept).exists()
    ImportJob.objects.filter(pk=kept.pk).update(file="")
    services.forget()
    assert not ImportHead.objects.exists()
