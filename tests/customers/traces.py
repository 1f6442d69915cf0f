"""A person left in every place that a system has, erasing them, and looking for what is left."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from backoffice.accounts.models import RoleChange, User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest, Vote
from backoffice.audit import verbs
from backoffice.audit.models import SavedSearch
from backoffice.audit.services import record, save_with_history
from backoffice.files import sealing
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs.models import Job, JobLog
from backoffice.mail.models import Mail
from backoffice.masking.services import give_grant
from backoffice.sheets import staging
from backoffice.sheets.models import ImportJob, ImportProblem
from backoffice.sheets.staging import Part
from customers.models import Customer, PrivacyCase
from customers.services import privacy
from orders.models import ChangeRequest, DeliveryAddress, Order, OrderNote, Parcel
from payments.models import InboxEvent, Refund, SettlementEntry, SettlementImport
from tests.canaries import CUSTOMER, FORMER, Canary, leaks
from tests.customers.desk import carried_out, open_case
from tests.factories import make_order, make_payment

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
    ask_for_changes(order, ann)
    settle_by_bank(people)
    leave_files(people)
    return order


def settle_by_bank(people: dict[str, User]) -> None:
    """Leave the person in the lines of a bank's statement, its file's name, and a webhook."""
    source = SettlementImport.objects.create(
        gateway="manual", source="file", name=f"Refund {NAME}.csv", sha256="1" * 64,
        by=people["max"],
    )  # fmt: skip
    SettlementEntry.objects.create(
        gateway="manual", source=source, row_hash="1", day=date(2026, 3, 4), kind="refund",
        reference=f"REFUND {NAME.upper()} 4711", payment_reference=f"from {EMAIL}",
        number=f"call {PHONE}", amount_minor=-500, currency="GBP",
    )  # fmt: skip
    InboxEvent.objects.create(
        gateway="simulator", event_id="evt_1", digest="1" * 64, kind="refund", state="ignored",
        number=f"for {EMAIL}", note=f"{NAME} is not known",
    )  # fmt: skip


def ask_for_changes(order: Order, ann: User) -> None:
    """Leave the person in a request that is over, on a parcel, in an address and a note."""
    change = ChangeRequest(
        order=order, kind="address", why="moved", note=f"{NAME} moved", address=ADDRESS,
        reference=EMAIL, state="withdrawn", asked_by=ann,
    )  # fmt: skip
    save_with_history(change, actor=ann, reason="Xyvcanary called again")
    save_with_history(DeliveryAddress(order=order, address=ADDRESS), actor=ann)
    OrderNote.objects.create(order=order, text=f"{NAME} waits, {PHONE}", author=ann)
    parcel = Parcel(order=order, seller=order.lines.get().seller, carrier=f"Bike of {NAME}")
    save_with_history(parcel, actor=ann, reason="Xyvcanary again")


def leave_files(people: dict[str, User]) -> None:
    """Leave exports and imports that hold the person, and one of each that does not."""
    ann = people["ann"]
    for name, made in (("a.xlsx", workbook(NAME)), ("b.csv", f"x,{EMAIL}\n".encode("utf-16"))):
        files.keep(made, name=name, kind=name[2:], purpose="walk", owner=ann)
    files.keep(b"nobody", name="other.csv", kind="csv", purpose="walk", owner=ann)
    for name, made in (("c.csv", f"{NAME};{PHONE}".encode("cp1252")), ("d.csv", b"nobody")):
        job = ImportJob(owner=ann, original_name=f"{name} for {EMAIL}", kind="csv", size=9,
                        sha256="0" * 64, state="done", notes=[f"row of {NAME}"])  # fmt: skip
        job.sealed_key = sealing.new_key(job.use)
        files.store([made], job.file, name=name, key=job.sealed_key, use=job.use)
        job.save()
        part = Part("customers", 0, 0, [""], [2], "n", [None], {"name": [NAME]})
        staging.put(job, part)
        ImportProblem.objects.create(import_job=job, code="unknown", row=2, severity="failed",
                                     params={"value": f"{NAME}"})  # fmt: skip


def approved(customer: Customer, people: dict[str, User], kind: str = "erasure") -> PrivacyCase:
    """Return a request that a second person approved; its job waits."""
    case = open_case(customer, kind, people["pia"], f"letter of {NAME}")
    request = privacy.ask(case, actor=people["pia"], reason=f"{NAME} asked by letter")
    approvals.approve(request, actor=people["kim"], comment="letter of Xyvcanary seen")
    case.refresh_from_db()
    return case


def erase(customer: Customer, people: dict[str, User]) -> PrivacyCase:
    """Open, ask, agree, and run the job."""
    return carried_out(approved(customer, people))


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
