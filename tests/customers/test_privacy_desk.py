"""The privacy desk: opening, asking, approving, refusing; and the file for a person."""

import csv
import io
import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import Promise, lazy

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.models import Event
from backoffice.audit.services import record
from backoffice.files import links
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs.models import Job
from backoffice.money import Money
from backoffice.policy import may
from backoffice.sheets.models import ImportJob
from customers.models import Customer, PrivacyCase
from customers.services import merging, person_export, privacy
from payments import services as payments
from tests.canaries import CUSTOMER, FORMER, leaks
from tests.clients import signed_in
from tests.customers.desk import carried_out, done, open_case
from tests.factories import make_customer, make_order, make_payment
from tests.people import make_person

NAME, EMAIL, PHONE = (canary.value for canary in CUSTOMER)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_places")]
State = PrivacyCase.State


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
    Customer.objects.filter(pk=customer.pk).update(erased_at=timezone.now())
    case = carried_out(case)
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
    page = signed_in(pia).get(f"/admin/privacy/{case.pk}/").content.decode()
    assert (str(export) in page, f"/{case.pk}/ask/" in page) == (True, False)
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
    case = carried_out(case)
    assert case.job is not None
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


def test_export_asks_for_the_right_again_when_it_is_made(
    customer: Customer, pia: User, kim: User
) -> None:
    case = open_case(customer, "export", pia)
    approvals.approve(privacy.ask(case, actor=pia, reason="by letter"), actor=kim)
    pia.groups.clear()
    case = carried_out(case)
    assert (case.state, KeptFile.objects.count()) == (State.OPEN, 0)
    assert not Event.objects.filter(verb=person_export.EXPORTED).exists()
    page = signed_in(kim).get(reverse("admin:privacy_case", args=[case.pk])).content.decode()
    assert "Who asked for it may not work on such requests any more." in page
    assert done(case, kim, make_person("pat", "privacy")).state == State.DONE


def test_export_asks_for_the_right_again_when_it_is_handed_out(
    customer: Customer, pia: User, kim: User
) -> None:
    case = done(open_case(customer, "export", pia), pia, kim)
    assert case.file is not None
    link = links.address(case.file, "admin")
    pia.groups.clear()
    client = signed_in(pia)  # their session ended with the role
    client = signed_in(User.objects.get(pk=pia.pk))  # the old session ended with the role
    assert [client.get(link).status_code, client.post(link).status_code] == [403, 403]
    assert not Event.objects.filter(verb=files.DOWNLOADED).exists()


def test_erasure_deletes_the_file_of_the_export(customer: Customer, pia: User, kim: User) -> None:
    done(open_case(customer, "export", pia), pia, kim)
    done(open_case(customer, "erasure", pia), pia, kim)
    assert not KeptFile.objects.exists()


def test_erased_customer_offers_no_request(customer: Customer, pia: User) -> None:
    where = reverse("admin:customers_customer_change", args=[customer.pk])
    client, button = signed_in(pia), "do/privacy_request/"
    assert button in client.get(where).content.decode()
    Customer.objects.filter(pk=customer.pk).update(erased_at=timezone.now())
    assert button not in client.get(where).content.decode()
