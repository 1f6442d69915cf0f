"""Erasing a person: nothing of them is left anywhere, the books stay, the chain verifies."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from backoffice.accounts.models import RoleChange, User
from backoffice.approvals import services as approvals
from backoffice.approvals.canonical import digest
from backoffice.approvals.models import ApprovalRequest, Vote
from backoffice.audit import chain, verbs
from backoffice.audit.models import Event, EventReason, SavedSearch
from backoffice.audit.services import record, save_with_history
from backoffice.audit.verify import verify
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs import run
from backoffice.jobs.models import Job, JobLog
from backoffice.mail.models import Mail
from backoffice.masking.collecting import collect
from backoffice.masking.services import give_grant
from backoffice.sheets.models import ImportJob, ImportProblem
from customers import services
from customers.models import Customer, CustomerMerge, PrivacyCase
from customers.places import person
from customers.services import erased, erasure, privacy
from customers.services.privacy import Asked
from orders.models import Order
from payments.models import Payment, Refund
from tests.canaries import CUSTOMER, FORMER, Canary, leaks
from tests.factories import make_customer, make_order, make_payment
from tests.processes import python

NAME, EMAIL, PHONE = (canary.value for canary in CUSTOMER)
OLD_NAME, OLD_EMAIL, OLD_PHONE = (canary.value for canary in FORMER)
ADDRESS = "Quzzwick Lane 41, Vexhollow"
BORN = "1961-02-17"
ACCOUNT = "DE89 3704 0044 0532 0130 00"
MORE = (
    Canary("address", ADDRESS, ("Quzzwick", "Vexhollow")),
    Canary("account", ACCOUNT, ("3704 0044", "37040044")),
    Canary("birth date", BORN, ("17 Feb 1961", "17 February 1961", "19610217")),
)
CANARIES = (*CUSTOMER, *FORMER, *MORE)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_places(settings: Any, tmp_path: Path) -> None:
    settings.BACKOFFICE_ERASED_LIST = str(tmp_path / "erased.jsonl")
    settings.MEDIA_ROOT = str(tmp_path / "files")


@pytest.fixture
def customer(kim: User) -> Customer:
    """Return the person, with former values in the history."""
    customer = Customer(number="17850", country="Iceland")
    customer.name, customer.email, customer.phone = OLD_NAME, OLD_EMAIL, OLD_PHONE
    save_with_history(customer, actor=kim, reason=f"first contact of {OLD_NAME}")
    customer.name, customer.email, customer.phone = NAME, EMAIL, PHONE
    customer.address, customer.born, customer.bank_account = ADDRESS, BORN, ACCOUNT
    save_with_history(customer, actor=kim, reason="moved to Quzzwick")
    return Customer.objects.get(pk=customer.pk)


def workbook(text: str) -> bytes:
    """Return a zip as spreadsheet programs write them, with this text in a cell."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        first, _, rest = text.partition(" ")
        archive.writestr(
            "xl/sharedStrings.xml", f"<si><r><t>{first}</t></r><r><t> {rest}</t></r></si>"
        )
    return target.getvalue()


def spread(customer: Customer, people: dict[str, User]) -> Order:
    """Leave the person in every place that a system has; return their order."""
    kim, ann, max_ = people["kim"], people["ann"], people["max"]
    order = make_order(4_000, customer=customer)
    payment = make_payment(order)
    refund = Refund(
        payment=payment, amount_minor=500, currency="GBP", reason=f"{NAME} says it broke",
        requested_by=ann, state=Refund.State.FAILED, answer=f"refused for {EMAIL}",
    )  # fmt: skip
    save_with_history(refund, actor=ann, reason="Xyvcanary called")
    typed = f"Mr {NAME} wrote from {EMAIL}, call {PHONE}, pay to {ACCOUNT}"
    record(verbs.CHANGED, actor=kim, subject=customer, reason="asked by Xyvcanary")
    record(verbs.CHANGED, actor=kim, subject=kim, reason=typed)
    request = approvals.ask(
        "payments.refund", subject=refund, payload={"refund": "x", "note": typed},
        summary="Refund", reason="Xyvcanary is angry", actor=ann,
    )  # fmt: skip
    Vote.objects.create(request=request, voter=max_, seat=max_, maker=ann, choice="reject",
                        comment=f"told {EMAIL}")  # fmt: skip
    ApprovalRequest.objects.filter(pk=request.pk).update(
        state="rejected", decided_by=max_, decided_at=timezone.now(), comment="not for Xyvcanary"
    )
    give_grant(customer, user=ann, actor=kim, reason="Xyvcanary waits at the phone")
    job = Job.objects.create(kind="walk", title=f"Letter to {NAME}", params={"to": EMAIL},
                             message=typed, state=Job.State.DONE)  # fmt: skip
    JobLog.objects.create(job=job, attempt=1, text=f"sent to {EMAIL}")
    Mail.objects.create(template="walk", to_user=max_, subject=f"About {NAME}", reason=typed,
                        context={"what": [typed]}, state="queued")  # fmt: skip
    SavedSearch.objects.create(owner=kim, name="him", query="q=" + EMAIL.replace("@", "%40"))
    RoleChange.objects.create(role="support", permission="x.y", granted=True, actor=kim,
                              reason=typed)  # fmt: skip
    session = SessionStore()
    session["message"] = typed
    session.save()
    leave_files(people)
    return order


def leave_files(people: dict[str, User]) -> None:
    """Leave exports and imports that hold the person, and one of each that does not."""
    ann = people["ann"]
    for name, made in (("a.xlsx", workbook(NAME)), ("b.csv", f"x,{EMAIL}\n".encode("utf-16"))):
        files.keep(made, name=name, kind=name[2:], purpose="walk", owner=ann)
    files.keep(b"nobody", name="other.csv", kind="csv", purpose="walk", owner=ann)
    for name, made in (("c.csv", f"{NAME};{PHONE}".encode("cp1252")), ("d.csv", b"nobody")):
        job = ImportJob(owner=ann, original_name=f"{name} for {EMAIL}", kind="csv", size=9,
                        sha256="0" * 64, state="done", notes=[f"row of {NAME}"])  # fmt: skip
        job.file.save(name, ContentFile(made), save=False)
        job.save()
        ImportProblem.objects.create(import_job=job, code="unknown", row=2, severity="failed",
                                     params={"value": f"{NAME}"})  # fmt: skip


@pytest.fixture
def people(kim: User, ann: User, max_: User, pia: User) -> dict[str, User]:
    return {"kim": kim, "ann": ann, "max": max_, "pia": pia}


def asked(note: str = "") -> Asked:
    return Asked(PrivacyCase.Ground.ASKED, note, timezone.localdate())


def approved(customer: Customer, people: dict[str, User], kind: str = "erasure") -> PrivacyCase:
    """Return a request that a second person approved; its job waits."""
    case = privacy.open_case(customer, kind, asked(f"letter of {NAME}"), actor=people["pia"])
    request = privacy.ask(case, actor=people["pia"], reason=f"{NAME} asked by letter")
    approvals.approve(request, actor=people["kim"], comment="letter of Xyvcanary seen")
    case.refresh_from_db()
    return case


def erase(customer: Customer, people: dict[str, User]) -> PrivacyCase:
    case = approved(customer, people)
    assert case.job is not None
    run.execute(case.job.pk)
    case.refresh_from_db()
    return case


def texts_of_the_database() -> Iterator[tuple[str, str]]:
    """Yield (place, text) of every column of every row that the database holds, decoded."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names from the database
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(columns, row, strict=True):
                    if isinstance(value, str | bytes | dict | list | date):
                        text = value if isinstance(value, str) else json.dumps(value, default=str)
                        yield f"{table}.{name}", text
    for session in Session.objects.all():
        yield "session", json.dumps(session.get_decoded())


def found_anywhere(media: str) -> list[str]:
    """Return where a canary stands in tables, files (opened), cache, mail, sessions."""
    found = [
        line for place, text in texts_of_the_database() for line in leaks(text, CANARIES, place)
    ]
    for path in Path(media).rglob("*"):
        if path.is_file():
            found += leaks(path.read_bytes(), CANARIES, str(path))
    for kept in KeptFile.objects.all():
        found += leaks(b"".join(kept.chunks()), CANARIES, f"kept file {kept.pk}")
    found += leaks(repr(getattr(cache, "_cache", {})), CANARIES, "cache")
    return found


def lasting_texts() -> Counter[tuple[str, str]]:
    """Return (table.column, text) -> how often it stands there, but for the state of jobs.

    When a row was erased is left out: the test takes it back.
    """
    return Counter(
        (place, text)
        for place, text in texts_of_the_database()
        if not place.startswith("jobs_") and not place.endswith(".erased_at")
    )


def columns_of(customer: Customer) -> list[tuple[Any, ...]]:
    """Return the row and its history as the database holds them, read past the models."""
    found = []
    with connection.cursor() as cursor:
        for table in ("customers_customer", "customers_historicalcustomer"):
            cursor.execute(f"SELECT * FROM {table} WHERE id = %s", [customer.pk])  # noqa: S608
            found += cursor.fetchall()
    assert len(found) > 1  # the row, and one of its history at least
    return found


def books() -> dict[str, Any]:
    """Return what bookkeeping rests on."""
    return {
        "orders": list(Order.objects.order_by("pk").values_list("number", "total_minor", "status")),
        "total": Order.objects.aggregate(Sum("total_minor")),
        "payments": list(Payment.objects.order_by("pk").values_list("reference", "captured_minor")),
        "refunds": list(Refund.objects.order_by("pk").values_list("amount_minor", "state")),
    }


def test_erasure_leaves_nothing_of_the_person(
    customer: Customer, people: dict[str, User], settings: Any
) -> None:
    other = make_customer(
        name="Bo Otherperson", email="bo@other-person.example", phone="+44 20 7946 0001"
    )
    spread(customer, people)
    assert len(found_anywhere(settings.MEDIA_ROOT)) > 40  # the search itself sees
    rows = customer.history.count()
    before, theirs = books(), columns_of(other)
    case = erase(customer, people)
    assert case.state == PrivacyCase.State.DONE
    assert found_anywhere(settings.MEDIA_ROOT) == []
    assert books() == before
    assert customer.history.count() > rows
    assert columns_of(other) == theirs


def test_chain_verifies_after_erasure(customer: Customer, people: dict[str, User]) -> None:
    spread(customer, people)
    chain.seal()
    erase(customer, people)
    chain.seal()
    report = verify()
    assert (report.problems, report.unsealed) == ([], 0)
    assert report.erased > 5


def test_history_rows_stay_without_values(customer: Customer, people: dict[str, User]) -> None:
    before = set(customer.history.values_list("history_id", "history_type", "history_date"))
    erase(customer, people)
    after = set(customer.history.values_list("history_id", "history_type", "history_date"))
    assert before <= after
    texts = ("name", "email", "phone", "address", "bank_account", "country")
    values = (*texts, "email_index", "phone_index", "name_index")
    assert {value for row in customer.history.values_list(*values) for value in row} <= {"", None}
    assert set(customer.history.values_list("born", flat=True)) == {None}
    assert set(customer.history.values_list("number", flat=True)) == {"17850"}


def test_second_run_changes_nothing(customer: Customer, people: dict[str, User]) -> None:
    spread(customer, people)
    case = erase(customer, people)
    told = lasting_texts()
    rows = customer.history.count()
    assert case.job is not None
    again = erasure.reapply(actor=people["pia"], entries=list(erased.read()))
    assert (again, customer.history.count()) == ([], rows)
    Customer.objects.filter(pk=customer.pk).update(erased_at=None)  # as if nobody knew
    redone = erasure.reapply(actor=people["pia"], entries=list(erased.read()))
    changed = {name: count for name, count in redone[0].receipt["rows"].items() if count}
    assert changed == {}
    # A second run leaves its own request and events behind, and takes no text away.
    assert told - lasting_texts() == Counter()


def test_receipt_counts_and_holds_no_value(customer: Customer, people: dict[str, User]) -> None:
    spread(customer, people)
    case = erase(customer, people)
    assert case.receipt["rows"]["customers.customer"] == 1
    assert case.receipt["rows"]["customers.customer.past"] >= 2
    assert case.receipt["rows"]["files.kept"] == 2
    assert case.receipt["rows"]["sheets.files"] == 1
    assert case.digest == digest(case.receipt)
    event = Event.objects.get(verb=privacy.DONE)
    assert event.context["receipt"] == case.digest
    assert leaks(json.dumps(case.receipt), CANARIES) == []


def test_files_of_others_stay(customer: Customer, people: dict[str, User]) -> None:
    spread(customer, people)
    erase(customer, people)
    assert [kept.name for kept in KeptFile.objects.all()] == ["other.csv"]
    assert [bool(job.file) for job in ImportJob.objects.order_by("pk")] == [False, True]


def test_number_that_is_an_address_is_replaced(kim: User, people: dict[str, User]) -> None:
    customer = Customer(number="num.ber@told-canary.example", name="Nora Numbercanary")
    save_with_history(customer, actor=kim, reason="")
    erase(customer, people)
    customer.refresh_from_db()
    assert customer.number == f"erased-{customer.pk}"
    assert set(customer.history.values_list("number", flat=True)) == {f"erased-{customer.pk}"}


def test_erased_customer_is_neither_changed_nor_revealed(
    customer: Customer, people: dict[str, User]
) -> None:
    erase(customer, people)
    fresh = Customer.objects.get(pk=customer.pk)
    with pytest.raises(PermissionDenied):
        services.edit_customer(fresh, changes={"name": "Back"}, actor=people["kim"], reason="x")
    with pytest.raises(ValidationError):  # who read the row before it was erased
        services.edit_customer(customer, changes={"name": "Back"}, actor=people["kim"], reason="x")


def test_merged_rows_are_erased_with_the_person(
    customer: Customer, people: dict[str, User]
) -> None:
    other = make_customer(name="Twinova Mergecanary", email="twin@merge-canary.example")
    Customer.objects.filter(pk=other.pk).update(merged_into=customer)
    erase(customer, people)
    told = [text for name, text in texts_of_the_database() if "Mergecanary" in text]
    assert told == []
    assert Customer.objects.get(pk=other.pk).erased_at is not None


@pytest.mark.django_db(transaction=True)
def test_killed_worker_leaves_the_same_end(
    customer: Customer, people: dict[str, User], settings: Any, tmp_path: Path
) -> None:
    spread(customer, people)
    before = books()
    case = approved(customer, people)
    assert case.job is not None
    places = {"BACKOFFICE_ERASED_LIST": settings.BACKOFFICE_ERASED_LIST}
    places["BACKOFFICE_VAR"] = str(tmp_path)  # the files lie below it
    for place in ("audit.reasons", "customers.customer.past"):
        arguments = ("-m", "tests.customers.privacy_child", str(case.job.pk), place)
        with python(*arguments, **places) as child:
            assert child.stdout is not None
            assert child.stdout.readline().strip() == "there"
            child.kill()
            child.wait()
        Job.objects.filter(pk=case.job.pk).update(state=Job.State.QUEUED)  # as the reaper does
        assert found_anywhere(settings.MEDIA_ROOT) != []
        assert PrivacyCase.objects.get().state == PrivacyCase.State.RUNNING
    run.execute(case.job.pk)
    case.refresh_from_db()
    assert case.state == PrivacyCase.State.DONE
    assert found_anywhere(settings.MEDIA_ROOT) == []
    assert books() == before
    assert case.receipt["rows"]["customers.customer.past"] >= 2
    assert Event.objects.filter(verb=privacy.BEGUN).count() == 1
    assert Event.objects.filter(verb=privacy.DONE).count() == 1
    chain.seal()
    assert verify().problems == []
    entries = list(erased.read())
    assert [entry.customer for entry in entries] == [customer.pk]


def test_restored_backup_is_erased_again(
    customer: Customer, people: dict[str, User], settings: Any
) -> None:
    spread(customer, people)
    old = dict(zip(("name", "email", "phone"), (NAME, EMAIL, PHONE), strict=True))
    erase(customer, people)
    PrivacyCase.objects.filter(customer=customer).delete()  # the backup is older than all of this
    Customer.objects.filter(pk=customer.pk).update(erased_at=None, **old)
    stranger = make_customer(name="Newoneova Keepcanary")
    line = json.dumps({"customer": stranger.pk, "print": "0" * 64, "at": "", "receipt": ""})
    with Path(settings.BACKOFFICE_ERASED_LIST).open("a") as file:
        file.write(line + "\n")  # somebody else had this key once
    assert found_anywhere(settings.MEDIA_ROOT)
    out = io.StringIO()
    call_command("privacy", "reapply", "--by", "pia", stdout=out)
    assert found_anywhere(settings.MEDIA_ROOT) == []
    assert Customer.objects.get(pk=stranger.pk).erased_at is None
    assert "1 customer" in out.getvalue()
    call_command("privacy", "reapply", "--by", "pia", stdout=out)
    assert "0 customers" in out.getvalue()


def test_list_outside_names_keys_alone(
    customer: Customer, people: dict[str, User], settings: Any
) -> None:
    erase(customer, people)
    path = Path(settings.BACKOFFICE_ERASED_LIST)
    assert (leaks(path.read_bytes(), CANARIES), path.stat().st_mode & 0o777) == ([], 0o600)
    assert "17850" not in path.read_text()


def test_values_taken_by_an_undone_merge_go_from_the_other_history(
    customer: Customer, kim: User, people: dict[str, User]
) -> None:
    other = Customer(number="17851", name="Otto Stayscanary")
    save_with_history(other, actor=kim, reason="")
    other.email = EMAIL
    save_with_history(other, actor=kim, reason="")
    other.email = "otto@stays-canary.example"
    save_with_history(other, actor=kim, reason="")
    taken = ["email"]
    CustomerMerge.objects.create(
        kept=other, gone=customer, requested_by=kim, state="undone", taken=taken
    )
    erase(customer, people)
    held = {str(row.email) for row in other.history.all()}
    assert leaks(repr([text for _place, text in texts_of_the_database()]), CANARIES) == []
    assert len(held) == 2  # blank, and otto's own
    assert str(Customer.objects.get(pk=other.pk).name) == "O••••• S•••••"


@pytest.mark.parametrize(
    ("state", "taken"), [("dropped", ["email"]), ("requested", ["email"]), ("undone", ["phone"])]
)
def test_history_of_another_stays_where_no_merge_wrote_into_it(
    customer: Customer, kim: User, people: dict[str, User], state: str, taken: list[str]
) -> None:
    other = Customer(number="17852", name="Ines Samehouse", email=EMAIL)  # they share an address
    save_with_history(other, actor=kim, reason="")
    CustomerMerge.objects.create(
        kept=other, gone=customer, requested_by=kim, state=state, taken=taken
    )
    CustomerMerge.objects.create(kept=customer, gone=other, requested_by=kim, state="undone",
                                 taken=["email"])  # fmt: skip
    before = columns_of(other)
    erase(customer, people)
    assert columns_of(other) == before


PHRASE = "Legal or fraud request"


def decoy_of(kim: User) -> Customer:
    """Return a customer whose name was a choice of a reason for a moment."""
    decoy = Customer(number="D1", name="Dora Decoyova", email="dora@decoy-canary.example")
    save_with_history(decoy, actor=kim, reason="")
    for name in (PHRASE, "fraud request", "asked by the court", "Dora Decoyova"):
        decoy.name = name
        save_with_history(decoy, actor=kim, reason="")
    return Customer.objects.get(pk=decoy.pk)


def test_name_typed_to_erase_the_record_of_others_erases_nothing(
    kim: User, people: dict[str, User]
) -> None:
    """The attack: name a customer like a reason, name them back, have them erased."""
    decoy, other = decoy_of(kim), make_customer(name="Bo Otherperson")
    typed = f"{PHRASE}: asked by the court"
    record(verbs.CHANGED, actor=kim, subject=other, reason=typed)
    record(verbs.CHANGED, actor=kim, reason=typed)
    give_grant(other, user=people["ann"], actor=kim, reason=typed)
    RoleChange.objects.create(role="support", permission="x.y", granted=True, actor=kim,
                              reason=typed)  # fmt: skip
    files.keep(typed.encode(), name="a.csv", kind="csv", purpose="walk", owner=kim)
    session = SessionStore()
    session["message"] = typed
    session.save()
    exported = json.dumps([part.rows for part in collect(person(decoy))])
    assert exported.count("asked by the court") == 1  # the decoy's own history
    before = Counter(text for _place, text in texts_of_the_database() if PHRASE in text)
    case = erase(decoy, people)
    after = Counter(text for _place, text in texts_of_the_database() if PHRASE in text)
    assert before - after == Counter({PHRASE: 1})
    assert Event.objects.filter(typed__text=typed).count() >= 3
    assert KeptFile.objects.filter(name="a.csv").exists()
    assert case.receipt["rows"]["accounts.roles"] == 0


def test_name_that_is_a_word_of_ours_is_nobodys_name_however_long_it_stood(
    kim: User, people: dict[str, User]
) -> None:
    decoy = make_customer(name=PHRASE)
    change = RoleChange.objects.create(role="support", permission="x.y", granted=True, actor=kim,
                                       reason=f"{PHRASE}: asked")  # fmt: skip
    record(verbs.CHANGED, actor=kim, reason=f"{PHRASE}: asked")
    erase(decoy, people)
    change.refresh_from_db()
    assert change.reason == f"{PHRASE}: asked"
    assert Event.objects.filter(typed__text=f"{PHRASE}: asked").exists()


def test_name_that_stood_takes_no_reason_about_somebody_else(
    kim: User, people: dict[str, User]
) -> None:
    """A name alone goes from other texts, and leaves the reasons of the record where they are."""
    lasting = Customer(number="D2", name="Dora Lastingova")
    save_with_history(lasting, actor=kim, reason="")
    lasting.name = "Dora Presentova"
    save_with_history(lasting, actor=kim, reason="")
    old = lasting.history.order_by("history_id").first()
    old.history_date -= timedelta(days=2)
    old.save()
    other = make_customer(name="Bo Otherperson")
    both = "Dora Lastingova, Dora Presentova"
    record(verbs.CHANGED, actor=kim, subject=other, reason=both)
    record(verbs.CHANGED, actor=kim, reason=both)
    change = RoleChange.objects.create(role="support", permission="x.y", granted=True, actor=kim,
                                       reason=f"for {both}")  # fmt: skip
    case = privacy.open_case(lasting, "erasure", asked(), actor=people["pia"])
    request = privacy.ask(case, actor=people["pia"], reason="asked by letter")
    shown = {str(line.label): line.before for line in erasure.effects(request)}
    told = "texts about others that name the person"
    assert shown[f"Reasons of changed roles: {told}"] == "1"
    assert shown[f"Typed reasons in the record of activity: {told}"] == "1"
    approvals.approve(request, actor=people["kim"])
    case.refresh_from_db()
    assert case.job is not None
    run.execute(case.job.pk)
    change.refresh_from_db()
    assert change.reason == "for [erased], [erased]"
    kept = Event.objects.filter(typed__text=both)
    assert [event.subject_id for event in kept] == [str(other.pk)]


def test_identifier_takes_a_reason_about_somebody_else(
    customer: Customer, people: dict[str, User]
) -> None:
    other = make_customer(name="Bo Otherperson")
    record(verbs.CHANGED, actor=people["kim"], subject=other, reason=f"as {NAME} ({EMAIL}) said")
    record(verbs.CHANGED, actor=people["kim"], subject=other, reason=f"as {NAME} said")
    erase(customer, people)
    about = EventReason.objects.filter(event__subject_type="customers.customer")
    typed = about.filter(event__subject_id=str(other.pk)).values_list("text", flat=True)
    assert sorted(typed) == ["", f"as {NAME} said"]
