"""The privacy desk: opening, asking, approving, refusing; and the file for a person."""

import csv
import io
import json
import time
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from django.utils.functional import Promise, lazy

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.models import Event
from backoffice.audit.services import record, save_with_history
from backoffice.files.models import KeptFile
from backoffice.jobs import run
from backoffice.jobs.models import Job
from backoffice.money import Money
from backoffice.policy import may
from backoffice.sheets.models import ImportJob
from customers.models import Customer, PrivacyCase
from customers.services import merging, person_export, privacy
from payments import services as payments
from tests.canaries import CUSTOMER, FORMER, leaks
from tests.factories import make_customer, make_order, make_payment
from tests.people import PASSWORD

NAME, EMAIL, PHONE = (canary.value for canary in CUSTOMER)
pytestmark = pytest.mark.django_db
State = PrivacyCase.State


@pytest.fixture(autouse=True)
def _own_places(settings: Any, tmp_path: Path) -> None:
    settings.BACKOFFICE_ERASED_LIST = str(tmp_path / "erased.jsonl")
    settings.MEDIA_ROOT = str(tmp_path / "files")


@pytest.fixture
def customer(kim: User) -> Customer:
    customer = Customer(number="17850", country="Iceland")
    customer.name, customer.email, customer.phone = (canary.value for canary in FORMER)
    save_with_history(customer, actor=kim, reason="first contact")
    customer.name, customer.email, customer.phone = NAME, EMAIL, PHONE
    save_with_history(customer, actor=kim, reason="moved")
    return Customer.objects.get(pk=customer.pk)


def open_case(customer: Customer, kind: str, actor: User) -> PrivacyCase:
    asked = privacy.Asked(PrivacyCase.Ground.ASKED, "by letter", timezone.localdate())
    return privacy.open_case(customer, kind, asked, actor=actor)


def done(case: PrivacyCase, asker: User, approver: User) -> PrivacyCase:
    """Let the one ask, the other agree, and the job run."""
    request = privacy.ask(case, actor=asker, reason="by letter")
    approvals.approve(request, actor=approver)
    case.refresh_from_db()
    assert case.job is not None
    run.execute(case.job.pk)
    case.refresh_from_db()
    return case


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (date(2026, 1, 15), date(2026, 2, 15)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2026, 12, 31), date(2027, 1, 31)),
    ],
)
def test_due_is_one_month_later(received: date, expected: date) -> None:
    assert privacy.due(received) == expected


def test_case_is_opened_by_the_desk_only(customer: Customer, eve: User, ada: User) -> None:
    for nobody in (eve, ada):
        with pytest.raises(PermissionDenied):
            open_case(customer, "erasure", nobody)
    assert not PrivacyCase.objects.exists()


def test_second_open_request_of_a_kind_is_refused(customer: Customer, pia: User) -> None:
    open_case(customer, "erasure", pia)
    with pytest.raises(ValidationError):
        open_case(customer, "erasure", pia)
    row = PrivacyCase.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_asker_does_not_approve(customer: Customer, pia: User) -> None:
    case = open_case(customer, "erasure", pia)
    request = privacy.ask(case, actor=pia, reason="by letter")
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=pia)
    case.refresh_from_db()
    assert (
        case.state,
        Job.objects.filter(kind=privacy.JOBS[PrivacyCase.Kind.ERASURE]).exists(),
    ) == (
        State.WAITING,
        False,
    )


def test_who_asks_becomes_the_maker_whoever_opened(
    customer: Customer, pia: User, kim: User
) -> None:
    case = open_case(customer, "erasure", pia)
    request = privacy.ask(case, actor=kim, reason="by letter")
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=kim)


def test_rejected_request_can_be_asked_for_again(customer: Customer, pia: User, kim: User) -> None:
    case = open_case(customer, "export", pia)
    request = privacy.ask(case, actor=pia, reason="by letter")
    approvals.reject(request, actor=kim, comment="which letter?")
    case.refresh_from_db()
    assert case.state == State.OPEN
    privacy.ask(case, actor=pia, reason="this one")
    assert PrivacyCase.objects.get().state == State.WAITING


def test_export_of_an_erased_person_is_refused(customer: Customer, pia: User, kim: User) -> None:
    """Whoever holds the row from before, and one row of a merged person is enough."""
    open_one = open_case(make_customer(number="17860"), "export", pia)
    waiting = open_case(make_customer(number="17861"), "export", pia)
    request = privacy.ask(waiting, actor=pia, reason="by letter")
    other = make_customer(number="17862")
    Customer.objects.filter(pk=other.pk).update(merged_into=customer)
    Customer.objects.exclude(pk=customer.pk).update(erased_at=timezone.now())
    with pytest.raises(ValidationError, match="erased"):
        open_case(customer, "export", pia)
    with pytest.raises(ValidationError, match="erased"):
        privacy.ask(open_one, actor=pia, reason="by letter")
    assert approvals.approve(request, actor=kim).state == ApprovalRequest.State.VOID
    waiting.refresh_from_db()
    assert (waiting.state, waiting.job, KeptFile.objects.count()) == (State.OPEN, None, 0)


def test_export_is_refused_while_an_erasure_runs(customer: Customer, pia: User, kim: User) -> None:
    erasure = open_case(customer, "erasure", pia)
    approvals.approve(privacy.ask(erasure, actor=pia, reason="by letter"), actor=kim)
    erasure.refresh_from_db()
    assert erasure.state == State.RUNNING
    with pytest.raises(ValidationError, match="erased"):
        open_case(customer, "export", pia)


def test_job_of_an_export_makes_no_file_of_an_erased_person(
    customer: Customer, pia: User, kim: User
) -> None:
    case = open_case(customer, "export", pia)
    approvals.approve(privacy.ask(case, actor=pia, reason="by letter"), actor=kim)
    case.refresh_from_db()
    assert case.job is not None
    Customer.objects.filter(pk=customer.pk).update(erased_at=timezone.now())
    run.execute(case.job.pk)
    case.refresh_from_db()
    assert (case.state, KeptFile.objects.count()) == (State.OPEN, 0)


@pytest.mark.parametrize("state", [State.OPEN, State.WAITING])
def test_open_export_stands_in_the_way_of_an_erasure(
    customer: Customer, pia: User, state: str
) -> None:
    """Who asked for their data gets it first (GDPR, Article 15)."""
    export = open_case(customer, "export", pia)
    PrivacyCase.objects.filter(pk=export.pk).update(state=state)
    case = open_case(customer, "erasure", pia)
    with pytest.raises(privacy.BlockedError, match=str(export)):
        privacy.ask(case, actor=pia, reason="by letter")
    privacy.refuse(case, actor=pia, reason="the other first")
    PrivacyCase.objects.filter(pk=export.pk).update(state=State.REFUSED)
    privacy.ask(open_case(customer, "erasure", pia), actor=pia, reason="by letter")


def test_words_of_denials_are_translated_for_people_and_not_for_the_log(
    customer: Customer, kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each person's language when it is read, not in that of who loaded the code."""
    word = lazy(lambda: str(translation.get_language()), str)()
    for services in (privacy, merging):
        assert isinstance(services.DENIED, Promise)
    monkeypatch.setattr(privacy, "DENIED", word)
    Customer.objects.filter(pk=customer.pk).update(erased_at=timezone.now())
    fresh = Customer.objects.get(pk=customer.pk)
    with translation.override("ko"):
        decision = may(kim, "customers.change_customer", fresh)
        why = privacy.denials(kim, "customers.change_customer", [fresh])[fresh.pk]
        assert str(why) == "ko"
    assert (bool(decision), decision.rule) == (False, "None")


def test_refused_request_says_why_on_the_record(customer: Customer, pia: User) -> None:
    case = open_case(customer, "export", pia)
    with pytest.raises(ValidationError):
        privacy.refuse(case, actor=pia, reason=" ")
    privacy.refuse(case, actor=pia, reason="not who they say")
    event = Event.objects.get(verb=privacy.REFUSED)
    assert (event.reason, event.context["case"]) == ("not who they say", case.pk)


def test_open_refund_stands_in_the_way(customer: Customer, pia: User, eve: User) -> None:
    order = make_order(5_000, customer=customer)
    make_payment(order)
    refund = payments.request_refund(order, Money(100, "GBP"), actor=eve, reason="broken")
    case = open_case(customer, "erasure", pia)
    with pytest.raises(privacy.BlockedError) as refused:
        privacy.ask(case, actor=pia, reason="by letter")
    assert any(refund.code in text for text in refused.value.messages)
    assert len(refused.value.messages) == 2  # the refund, and its approval
    payments.withdraw_refund(refund, actor=eve)
    privacy.ask(case, actor=pia, reason="by letter")


def test_running_import_stands_in_the_way(customer: Customer, pia: User, oli: User) -> None:
    ImportJob.objects.create(owner=oli, original_name="x", kind="csv", size=1, sha256="0" * 64,
                             state=ImportJob.State.RUNNING)  # fmt: skip
    case = open_case(customer, "erasure", pia)
    assert len(privacy.blockers(case)) == 1


def test_what_opens_after_the_asking_stops_the_approved_erasure(
    customer: Customer, pia: User, kim: User, oli: User
) -> None:
    case = open_case(customer, "erasure", pia)
    request = privacy.ask(case, actor=pia, reason="by letter")
    job = ImportJob.objects.create(owner=oli, original_name="x", kind="csv", size=1,
                                   sha256="0" * 64, state=ImportJob.State.RUNNING)  # fmt: skip
    request = approvals.approve(request, actor=kim)
    case.refresh_from_db()
    assert (request.state, case.state) == (ApprovalRequest.State.FAILED, State.OPEN)
    job.state = ImportJob.State.DONE
    job.save()
    request = privacy.ask(case, actor=pia, reason="by letter")
    approvals.approve(request, actor=kim)
    ImportJob.objects.update(state=ImportJob.State.RUNNING)  # between approval and job
    case.refresh_from_db()
    assert case.job is not None
    run.execute(case.job.pk)
    case.refresh_from_db()
    customer.refresh_from_db()
    assert (case.state, case.job.state, customer.erased_at) == (State.OPEN, "failed", None)


def test_export_holds_all_with_history_and_no_staff(
    customer: Customer, pia: User, kim: User, eve: User
) -> None:
    order = make_order(5_000, customer=customer)
    make_payment(order)
    record(verbs.CHANGED, actor=eve, subject=order, reason=f"{NAME} called")
    record(verbs.CHANGED, actor=eve, subject=eve, reason="nobody's business")
    case = done(open_case(customer, "export", pia), pia, kim)
    assert case.file is not None
    content = b"".join(case.file.chunks())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        whole = json.loads(archive.read("data.json"))["places"]
        table = archive.read("customers.customer.past.csv").decode("utf-8-sig")
    (row,) = whole["customers.customer"]["rows"]
    assert (row["name"], row["email"], row["phone"]) == (NAME, EMAIL, PHONE)
    past = whole["customers.customer.past"]["rows"]
    assert [old["email"] for old in past] == [FORMER[1].value, EMAIL]
    assert [old["email"] for old in csv.DictReader(io.StringIO(table))] == [FORMER[1].value, EMAIL]
    assert [one["number"] for one in whole["orders.orders"]["rows"]] == [order.number]
    reasons = [one["reason"] for one in whole["audit.events"]["rows"]]
    assert f"{NAME} called" in reasons
    text = content.decode("latin-1") + json.dumps(whole)
    assert "nobody's business" not in text
    names = {name for part in whole.values() for one in part["rows"] for name in one}
    assert not names & {"history_user_id", "actor_id", "address_index", "email_index", "session"}
    assert leaks(content, CUSTOMER)  # the search sees into the file


def test_formula_in_a_table_is_text(customer: Customer) -> None:
    assert "'=HYPERLINK(1)" in person_export.table([{"a": "=HYPERLINK(1)"}])
    assert "'+44" in person_export.table([{"a": "+44 1"}])


def test_event_of_the_export_stands_before_the_file(
    customer: Customer, pia: User, kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> bytes:
        raise OSError

    monkeypatch.setattr(person_export, "packed", broken)
    case = done(open_case(customer, "export", pia), pia, kim)
    event = Event.objects.get(verb=person_export.EXPORTED)
    assert (event.subject_id, event.actor_id) == (str(customer.pk), pia.pk)
    assert (case.state, KeptFile.objects.exists()) == (State.RUNNING, False)


def test_file_of_an_export_is_sealed_proved_and_expires(
    customer: Customer, pia: User, kim: User
) -> None:
    case = done(open_case(customer, "export", pia), pia, kim)
    kept = case.file
    assert kept is not None
    assert (kept.owner, kept.proof_due) == (pia, True)
    assert leaks(Path(kept.file.path).read_bytes(), CUSTOMER) == []
    assert (kept.expires_at - timezone.now()).total_seconds() <= 24 * 60 * 60
    assert leaks(json.dumps(case.receipt), CUSTOMER) == []


def test_erasure_deletes_the_file_of_the_export(customer: Customer, pia: User, kim: User) -> None:
    done(open_case(customer, "export", pia), pia, kim)
    done(open_case(customer, "erasure", pia), pia, kim)
    assert not KeptFile.objects.exists()


# --- pages -----------------------------------------------------------------------------------


def enter(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def grow_stale(client: Client) -> None:
    """Let the last proof be an hour old."""
    session = client.session
    session["stepup_at"] = time.time() - 3600
    session.save()


def test_desk_lists_what_is_due_first(client: Client, customer: Customer, pia: User) -> None:
    second = make_customer()
    early = privacy.Asked("asked", "", date(2026, 1, 5))
    privacy.open_case(second, "export", early, actor=pia)
    open_case(customer, "erasure", pia)
    text = enter(client, pia).get("/admin/privacy/").text
    assert text.index(second.number) < text.index("17850")
    assert ("2026-02-05" in text, "Late" in text) == (True, True)
    assert leaks(text, CUSTOMER) == []


@pytest.mark.parametrize("name", ["", "new/", "retention/", "retention/ask/"])
def test_desk_is_closed_to_support(client: Client, eve: User, name: str) -> None:
    assert enter(client, eve).get(f"/admin/privacy/{name}").status_code == 403


def test_auditor_reads_and_does_nothing(client: Client, customer: Customer, pia: User, ada: User
) -> None:  # fmt: skip
    case = open_case(customer, "erasure", pia)
    page = enter(client, ada).get(f"/admin/privacy/{case.pk}/")
    assert page.status_code == 200
    assert "Ask for approval" not in page.text
    for name in ("ask", "refuse"):
        answer = client.post(f"/admin/privacy/{case.pk}/{name}/", {"reason": "x"})
        assert answer.status_code == 403
    assert PrivacyCase.objects.get().state == State.OPEN


def test_page_shows_what_goes_what_stays_and_what_blocks(
    client: Client, customer: Customer, pia: User, eve: User
) -> None:
    order = make_order(5_000, customer=customer)
    make_payment(order)
    refund = payments.request_refund(order, Money(100, "GBP"), actor=eve, reason="broken")
    case = open_case(customer, "erasure", pia)
    text = enter(client, pia).get(f"/admin/privacy/{case.pk}/").text
    for expected in ("Personal values are erased", "Bookkeeping", refund.code, "searched"):
        assert expected in text
    assert leaks(text, (*CUSTOMER, *FORMER)) == []
    refused = client.post(f"/admin/privacy/{case.pk}/ask/", {"reason": "letter"})
    assert (refused.status_code, PrivacyCase.objects.get().state) == (403, State.OPEN)


def test_asking_needs_a_reason_and_fresh_proof(
    client: Client, customer: Customer, pia: User
) -> None:
    case = open_case(customer, "erasure", pia)
    grow_stale(enter(client, pia))
    url = f"/admin/privacy/{case.pk}/ask/"
    assert client.post(url, {"reason": ""}).status_code == 400
    assert client.post(url, {"reason": "letter"}).status_code == 400
    wrong = client.post(url, {"reason": "letter", "step_up_proof": "guess"})
    assert (wrong.status_code, ApprovalRequest.objects.exists()) == (400, False)
    answer = client.post(url, {"reason": "letter", "step_up_proof": PASSWORD})
    assert (answer.status_code, PrivacyCase.objects.get().state) == (302, State.WAITING)


def test_request_is_opened_on_the_desk_and_on_the_customers_page(
    client: Client, customer: Customer, pia: User
) -> None:
    enter(client, pia)
    values = {"kind": "export", "received_on": "2026-01-05", "ground": "asked", "note": "",
              "step_up_proof": PASSWORD}  # fmt: skip
    assert client.post("/admin/privacy/new/", {**values, "number": "17850"}).status_code == 302
    url = f"/admin/customers/customer/{customer.pk}/do/privacy_request/"
    version = client.get(url).context["form"]["record_version"].value()
    answer = client.post(url, {**values, "kind": "erasure", "record_version": version})
    assert answer.status_code == 302
    kinds = sorted(PrivacyCase.objects.values_list("kind", flat=True))
    assert kinds == ["erasure", "export"]


def test_file_is_offered_to_who_asked_alone(
    client: Client, customer: Customer, pia: User, kim: User
) -> None:
    case = done(open_case(customer, "export", pia), pia, kim)
    url = f"/admin/privacy/{case.pk}/"
    assert "/admin/files/" not in enter(client, kim).get(url).text
    assert "/admin/files/" in enter(client, pia).get(url).text


def test_receipt_is_shown(client: Client, customer: Customer, pia: User, kim: User) -> None:
    case = done(open_case(customer, "erasure", pia), pia, kim)
    text = enter(client, pia).get(f"/admin/privacy/{case.pk}/").text
    assert (case.digest in text, "Receipt" in text) == (True, True)


def test_desk_needs_the_same_queries_for_one_and_three(client: Client, pia: User) -> None:
    enter(client, pia)
    counts = []
    for _ in range(3):
        open_case(make_customer(), "export", pia)
        client.get("/admin/privacy/")
        with CaptureQueriesContext(connection) as queries:
            client.get("/admin/privacy/")
        counts.append(len(queries))
    assert counts[0] == counts[2]
