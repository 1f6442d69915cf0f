"""Clear exports: asked for, approved by another, made by a job, for one person, for a day."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import reviews
from backoffice.audit.history import recorded
from backoffice.audit.models import Event
from backoffice.files import links
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs import run
from backoffice.jobs.models import Job
from backoffice.masking.services import Reason
from backoffice.sheets.exporting import clear_exports
from backoffice.sheets.models import ClearExport
from customers.models import Customer
from tests.clients import signed_in
from tests.masking.conftest import EMAIL, PHONE, leaks
from tests.masking.test_pages import text
from tests.masking.test_services import make_customer
from tests.people import PASSWORD

WHY = Reason("legal", "The court of Lyon asks")
POSTED = {"names": ["phone"], "purpose": "legal", "text": "The court of Lyon asks"}
pytestmark = pytest.mark.django_db


@pytest.fixture
def rows(db: None) -> list[Customer]:
    return [make_customer(str(number)) for number in range(3)]


def ask(actor: User, names: tuple[str, ...] = ("phone",)) -> ClearExport:
    found = Customer.objects.order_by("pk")
    return clear_exports.ask(found, names, told={"country": "PT"}, reason=WHY, actor=actor)


def request_of(export: ClearExport) -> ApprovalRequest:
    return ApprovalRequest.objects.get(pk=export.request_id or 0)


def run_job(export: ClearExport) -> Job:
    export.refresh_from_db()
    assert export.job is not None
    run.execute(export.job.pk)
    export.refresh_from_db()
    return Job.objects.get(pk=export.job_id or 0)


def made(owner: User, approver: User, names: tuple[str, ...] = ("phone",)) -> ClearExport:
    export = ask(owner, names)
    approvals.approve(request_of(export), actor=approver)
    assert run_job(export).state == Job.State.DONE
    return export


def download(client: Client, export: ClearExport) -> Any:
    return client.get(reverse("admin:clear_file", args=[export.public_id]), follow=True)


def body(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_file_holds_the_chosen_values_of_these_rows(
    rows: list[Customer], kim: User, pia: User
) -> None:
    export = made(kim, pia, ("phone", "email"))
    lines = body(download(signed_in(kim), export)).lstrip("\ufeff").split()
    assert lines[0] == "Customer,Phone,E-mail"
    values = f"'{PHONE}".split()  # the csv has an apostrophe before a plus
    assert lines[1:] == [
        part for row in rows for part in f"{row.number},{' '.join(values)},{EMAIL}".split()
    ]


def test_masked_export_stays_the_usual_one(rows: list[Customer], kim: User) -> None:
    where = reverse("admin:customers_customer_export")
    assert leaks(body(signed_in(kim).post(where, {"format": "csv"}))) == []


def test_nothing_clear_lies_on_the_disk_or_in_a_row(
    rows: list[Customer], kim: User, pia: User
) -> None:
    export = made(kim, pia, ("phone", "email", "name"))
    assert export.file is not None
    lies = Path(export.file.file.path).read_bytes()
    assert PHONE.encode() not in lies
    kept = [*ClearExport.objects.values(), *ApprovalRequest.objects.values(), *Job.objects.values(),
            *Event.objects.values("context", "typed__text")]  # fmt: skip
    assert leaks(kept) == []


def test_each_record_and_the_file_are_on_the_record(
    rows: list[Customer], kim: User, pia: User
) -> None:
    export = made(kim, pia)
    each = Event.objects.filter(verb=clear_exports.IN_FILE).order_by("pk")
    facts = {"export": export.pk, "fields": ["phone"], "purpose": "legal",
             "request": export.request_id}  # fmt: skip
    told = [(one.actor, one.subject_id, one.context) for one in each]
    assert told == [(kim, str(row.pk), facts) for row in rows]
    whole = Event.objects.get(verb=clear_exports.MADE)
    assert (whole.actor, whole.context["rows"]) == (kim, 3)
    month = reviews.month_of(timezone.localdate())
    [line] = [line for line in reviews.lines(month) if line.person == kim.pk]
    assert (line.exported, line.rows, line.in_file, line.total) == (1, 3, 3, 1)


def test_without_the_right_it_is_refused_and_recorded(rows: list[Customer], ann: User) -> None:
    with pytest.raises(PermissionDenied):
        ask(ann)
    event = Event.objects.get(verb=clear_exports.ASKED)
    assert (event.actor, event.outcome) == (ann, "refused")
    where = reverse("admin:customers_customer_clear_export")
    client = signed_in(ann)
    assert [client.get(where).status_code, client.post(where, POSTED).status_code] == [403, 403]
    assert not ClearExport.objects.exists()


def test_own_request_is_not_approved_by_its_maker(rows: list[Customer], kim: User) -> None:
    export = ask(kim)
    with pytest.raises(PermissionDenied):
        approvals.approve(request_of(export), actor=kim)
    assert request_of(export).state == "requested"


def test_approver_needs_the_right(rows: list[Customer], kim: User, max_: User) -> None:
    with pytest.raises(PermissionDenied):
        approvals.approve(request_of(ask(kim)), actor=max_)


@pytest.mark.parametrize("reason", [Reason("", "x"), Reason("legal", " ")])
def test_without_a_reason_nothing_is_asked(rows: list[Customer], kim: User, reason: Reason) -> None:
    with pytest.raises(ValidationError):
        clear_exports.ask(Customer.objects.all(), ["phone"], told={}, reason=reason, actor=kim)
    assert not ClearExport.objects.exists()


def test_more_rows_than_the_cap_are_refused(
    rows: list[Customer], kim: User, settings: Settings
) -> None:
    settings.BACKOFFICE_CLEAR_EXPORT_ROWS = 2
    with pytest.raises(ValidationError, match="at most 2 rows"):
        ask(kim)
    assert Event.objects.get(verb=clear_exports.ASKED).context["rule"] == "rows"
    settings.BACKOFFICE_CLEAR_EXPORT_ROWS = 3
    assert ask(kim).rows == 3


def change_value(rows: list[Customer]) -> None:
    Customer.objects.filter(pk=rows[1].pk).update(phone="+33 1 5550 0100")


def take_a_row(rows: list[Customer]) -> None:
    rows[1].delete()


@pytest.mark.parametrize("change", [change_value, take_a_row])
def test_changed_rows_void_the_request(
    rows: list[Customer], kim: User, pia: User, change: Any
) -> None:
    export = ask(kim)
    change(rows)
    assert approvals.approve(request_of(export), actor=pia).state == "void"
    assert (Job.objects.count(), KeptFile.objects.count()) == (0, 0)


def test_rows_that_change_before_the_job_make_no_file(
    rows: list[Customer], kim: User, pia: User
) -> None:
    export = ask(kim)
    approvals.approve(request_of(export), actor=pia)
    change_value(rows)
    assert run_job(export).state == Job.State.FAILED
    assert (export.file, KeptFile.objects.count()) == (None, 0)
    assert not Event.objects.filter(verb=clear_exports.IN_FILE).exists()


def test_rows_that_change_while_they_are_noted_make_no_file(
    rows: list[Customer], kim: User, pia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(kim)
    approvals.approve(request_of(export), actor=pia)
    monkeypatch.setattr(clear_exports, "_note_each", lambda *_args: change_value(rows))
    assert run_job(export).state == Job.State.FAILED
    assert KeptFile.objects.count() == 0


def test_what_is_not_exported_may_change(rows: list[Customer], kim: User, pia: User) -> None:
    export = ask(kim)
    Customer.objects.filter(pk=rows[0].pk).update(country="DE", email="new@example.org")
    make_customer("77")
    approvals.approve(request_of(export), actor=pia)
    assert run_job(export).result == {"rows": 3}


def test_maker_who_lost_the_right_gets_nothing(rows: list[Customer], kim: User, pia: User) -> None:
    export = ask(kim)
    kim.groups.clear()
    assert approvals.approve(request_of(export), actor=pia).state == "void"
    assert not Job.objects.exists()


def test_job_that_is_taken_up_again_doubles_no_event(
    rows: list[Customer], kim: User, pia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(kim)
    approvals.approve(request_of(export), actor=pia)
    export.refresh_from_db()
    monkeypatch.setattr(clear_exports, "_BATCH", 2)

    def killed(*_args: object, **_kwargs: object) -> None:
        raise SystemExit

    assert export.job is not None
    with monkeypatch.context() as patch:
        patch.setattr(files, "keep", killed)
        with pytest.raises(SystemExit):
            run.execute(export.job.pk)
    Job.objects.update(state=Job.State.QUEUED)
    assert run_job(export).state == Job.State.DONE
    assert Event.objects.filter(verb=clear_exports.IN_FILE).count() == 3
    assert KeptFile.objects.count() == 1


def test_file_is_for_its_owner_with_fresh_proof(rows: list[Customer], kim: User, pia: User) -> None:
    export = made(kim, pia)
    assert download(signed_in(pia), export).status_code == 404
    assert export.file is not None
    assert signed_in(pia).get(links.address(export.file, "admin")).status_code == 403
    client = signed_in(kim, fresh=False)
    asked = download(client, export)
    assert (leaks(text(asked)), "step_up_proof" in text(asked)) == ([], True)
    answer = client.post(links.address(export.file, "admin"), {"step_up_proof": PASSWORD})
    assert PHONE in body(answer)
    assert Event.objects.filter(verb=files.DOWNLOADED, actor=kim).count() == 1


def test_file_expires_and_vanishes(rows: list[Customer], kim: User, pia: User) -> None:
    export = made(kim, pia)
    assert export.file is not None
    left = export.file.expires_at - timezone.now()
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    path = Path(export.file.file.path)
    KeptFile.objects.update(expires_at=timezone.now())
    client = signed_in(kim)
    assert download(client, export).status_code == 404
    assert client.get(links.address(export.file, "admin")).status_code == 410
    files.forget()
    kept = ClearExport.objects.get().file
    assert (kept, path.exists()) == (None, False)
    assert "Expired" in text(client.get(reverse("admin:clear_exports")))


def test_owner_who_lost_the_right_gets_no_link(rows: list[Customer], kim: User, pia: User) -> None:
    export = made(kim, pia)
    client = signed_in(kim)
    right = Permission.objects.get(codename="export_clear_customer")
    kim.groups.get().permissions.remove(right)
    assert download(client, export).status_code == 403


def test_link_of_before_opens_nothing_once_the_right_is_lost(
    rows: list[Customer], kim: User, pia: User
) -> None:
    export = made(kim, pia)
    assert export.file is not None
    client, link = signed_in(kim), links.address(export.file, "admin")
    kim.groups.get().permissions.remove(Permission.objects.get(codename="export_clear_customer"))
    assert [client.get(link).status_code, client.post(link).status_code] == [403, 403]
    assert not Event.objects.filter(verb=files.DOWNLOADED).exists()
    assert client.get(reverse("admin:clear_exports")).context["lines"][0]["file_url"] == ""


def test_right_lost_before_the_job_makes_no_file_and_says_why(
    rows: list[Customer], kim: User, pia: User
) -> None:
    export = ask(kim)
    approvals.approve(request_of(export), actor=pia)
    kim.groups.get().permissions.remove(Permission.objects.get(codename="export_clear_customer"))
    job = run_job(export)
    assert (job.state, job.message) == (
        Job.State.FAILED,
        "Who asked for it lost the right to a clear export.",
    )
    assert KeptFile.objects.count() == 0
    assert not Event.objects.filter(verb=clear_exports.IN_FILE).exists()
    page = text(signed_in(kim).get(reverse("admin:clear_exports")))
    assert ("Failed" in page, "lost the right" in page) == (True, True)


def test_dialog_asks_with_the_filter_of_the_list(rows: list[Customer], kim: User) -> None:
    Customer.objects.filter(pk__in=[row.pk for row in rows[:2]]).update(country="PT")
    where = reverse("admin:customers_customer_clear_export") + "?country=PT"
    client = signed_in(kim)
    assert "2 records, at most 10000" in text(client.get(where))
    for missing in POSTED:
        assert client.post(where, {**POSTED, missing: ""}).status_code == 400
    assert client.post(where, POSTED).status_code == 302
    export = ClearExport.objects.get()
    assert (export.filter, sorted(export.keys)) == (
        {"country": "PT"},
        [str(row.pk) for row in rows[:2]],
    )
    page = text(client.get(reverse("admin:clear_exports")))
    assert ("2 records" in page, leaks(page)) == (True, [])


def test_dialog_wants_fresh_proof_and_the_csrf_token(rows: list[Customer], kim: User) -> None:
    where = reverse("admin:customers_customer_clear_export")
    assert signed_in(kim, fresh=False).post(where, POSTED).status_code == 400
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(kim)
    assert strict.post(where, POSTED).status_code == 403
    assert not ClearExport.objects.exists()


def test_page_shows_others_only_to_who_oversees(
    rows: list[Customer], kim: User, ada: User, ann: User
) -> None:
    ask(kim)
    where = reverse("admin:clear_exports")
    shown = [len(signed_in(user).get(where).context["lines"]) for user in (kim, ada, ann)]
    assert shown == [1, 1, 0]


def erase(customer: Customer) -> None:
    with recorded():
        Customer.objects.filter(pk=customer.pk).update(erased_at=timezone.now())


def test_record_that_is_denied_is_left_out(rows: list[Customer], kim: User, pia: User) -> None:
    erase(rows[1])
    export = made(kim, pia)
    assert export.keys == [str(rows[0].pk), str(rows[2].pk)]
    assert rows[1].number not in [
        line.split(",")[0] for line in body(download(signed_in(kim), export)).splitlines()
    ]
    denied = Event.objects.filter(verb=clear_exports.IN_FILE, subject_id=str(rows[1].pk))
    assert not denied.exists()


def test_nothing_but_denied_records_makes_no_file(rows: list[Customer], kim: User) -> None:
    for row in rows:
        erase(row)
    with pytest.raises(ValidationError):
        ask(kim)
    assert not ClearExport.objects.exists()


def test_denied_records_make_no_room_below_the_cap(
    rows: list[Customer], kim: User, settings: Settings
) -> None:
    settings.BACKOFFICE_CLEAR_EXPORT_ROWS = 2
    erase(rows[0])
    with pytest.raises(ValidationError, match="at most"):
        ask(kim)


def test_record_denied_after_the_approval_is_in_no_file(
    rows: list[Customer], kim: User, pia: User
) -> None:
    export = ask(kim)
    approvals.approve(request_of(export), actor=pia)
    erase(rows[1])
    assert run_job(export).state == Job.State.FAILED
    assert export.file is None


def test_record_denied_before_the_approval_voids_the_request(
    rows: list[Customer], kim: User, pia: User
) -> None:
    export = ask(kim)
    erase(rows[1])
    assert approvals.approve(request_of(export), actor=pia).state == "void"
