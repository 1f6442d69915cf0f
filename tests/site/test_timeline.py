"""One stream on a record: changes, reveals, approvals, jobs, gateway calls; constant queries."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.services import APPROVED, ASKED
from backoffice.audit.models import Outcome
from backoffice.audit.services import record, save_with_history
from backoffice.jobs.models import Job
from backoffice.jobs.services import STARTED
from backoffice.masking.services import COPIED, GRANT_ENDED, GRANTED, REVEALED
from backoffice.site import timeline
from customers.models import Customer
from customers.services import privacy
from payments.models import Payment, Refund
from payments.services.moves import VERBS
from tests.factories import make_order, make_payment
from tests.people import allow


def request_about(
    subject: Customer | Refund, maker: User, job: Job | None = None
) -> ApprovalRequest:
    return ApprovalRequest.objects.create(
        kind="test", subject_type=subject._meta.label_lower, subject_id=str(subject.pk),
        summary="Block", reason="Asked", maker=maker, job=job,
        expires_at="2099-01-01T00:00:00Z",
    )  # fmt: skip


@pytest.fixture
def customer(eve: User) -> Customer:
    made = Customer(number="12437", name="Anna Keller")
    save_with_history(made, actor=eve)
    return made


@pytest.fixture
def refund(eve: User) -> Refund:
    payment = make_payment(make_order(1000))
    return Refund.objects.create(
        payment=payment, amount_minor=100, currency="GBP", reason="Broken", requested_by=eve
    )


@pytest.fixture
def reader(ada: User) -> User:
    """Return somebody who reads the whole record."""
    return ada


def told(obj: Customer | Payment, reader: User) -> set[tuple[str, str]]:
    return {(entry.what, entry.who) for entry in timeline.entries(obj, reader)}


def test_changes_reveals_approvals_and_jobs_stand_in_one_stream(
    customer: Customer, eve: User, max_: User, reader: User
) -> None:
    job = Job.objects.create(kind="approvals.execute", title="Block")
    asked = request_about(customer, eve, job)
    record(REVEALED, actor=eve, subject=customer, reason="Call back")
    record(ASKED, actor=eve, subject=customer)
    record(APPROVED, actor=max_, subject=asked)
    record(STARTED, actor=max_, subject=job)
    assert told(customer, reader) == {
        ("Added", "Eve"), ("Personal data revealed", "Eve"), ("Approval asked for", "Eve"),
        ("Approved", "Max"), ("Job started", "Max"),
    }  # fmt: skip


def test_gateway_calls_and_decisions_about_refunds_stand_with_the_payment(
    refund: Refund, eve: User, max_: User, reader: User
) -> None:
    record(VERBS[Refund.State.UNKNOWN], actor=None, subject=refund, outcome=Outcome.FAILED)
    record(APPROVED, actor=max_, subject=request_about(refund, eve))
    wanted = {("Outcome unknown (Failed)", "System"), ("Approved", "Max")}
    assert wanted <= told(refund.payment, reader)


def test_what_is_about_others_stays_away(customer: Customer, eve: User, reader: User) -> None:
    other = Customer.objects.create(number="2")
    # A request about a row of another kind that has the same key.
    job = Job.objects.create(kind="test", title="x")
    strange = request_about(customer, eve)
    strange.subject_type = "jobs.job"
    strange.save()
    record(APPROVED, actor=eve, subject=strange)
    record(STARTED, actor=eve, subject=job)
    record(REVEALED, actor=eve, subject=other)
    assert told(customer, reader) == {("Added", "Eve")}


def test_newest_stands_first_and_few_stand_there(
    customer: Customer, eve: User, reader: User
) -> None:
    for number in range(20):
        record(REVEALED, actor=eve, subject=customer, reason=str(number))
    found = timeline.entries(customer, reader)
    assert [entry.why for entry in found] == [str(number) for number in range(19, 7, -1)]


def test_number_of_queries_does_not_grow(customer: Customer, eve: User, reader: User) -> None:
    told(customer, reader)  # what a request keeps (rights, kinds of content) is not counted
    counts = []
    for many in (1, 8):
        for _ in range(many):
            record(APPROVED, actor=eve, subject=request_about(customer, eve), reason="Fine")
            record(REVEALED, actor=eve, subject=customer, reason="Call back")
        with CaptureQueriesContext(connection) as queries:
            timeline.entries(customer, reader)
        counts.append(len(queries))
    # Requests, events, history; and one for each kind that is followed: merges, who was merged.
    assert counts == [5, 5]


def test_request_about_anothers_refund_with_the_payments_key_stays_away(
    refund: Refund, eve: User, max_: User, reader: User
) -> None:
    payment = make_payment(make_order(1000))
    Refund.objects.create(
        pk=payment.pk + 50, payment=payment, amount_minor=100, currency="GBP", reason="Broken",
        requested_by=refund.requested_by,
    )  # fmt: skip
    asked = request_about(refund, eve)
    # About a refund whose key is the payment's own, and which is not among the payment's refunds.
    ApprovalRequest.objects.filter(pk=asked.pk).update(subject_id=str(payment.pk))
    record(APPROVED, actor=max_, subject=asked)
    assert ("Approved", "Max") not in told(payment, reader)


def shown_to(customer: Customer, user: User) -> dict[str, str]:
    """Return verb in words -> why, of the entries that are no change."""
    entries = timeline.entries(customer, User.objects.get(pk=user.pk))
    return {entry.what: entry.why for entry in entries if entry.what != "Added"}


@pytest.fixture
def looked(customer: Customer, ann: User, pia: User) -> Customer:
    """Return a customer who was looked at, of whom the privacy desk has a request."""
    for verb in (REVEALED, COPIED, GRANTED, GRANT_ENDED):
        record(verb, actor=ann, subject=customer, reason="A reason of Ann")
    asked = privacy.Asked("", "A note of Pia", localdate())
    privacy.open_case(customer, "export", asked, actor=pia)
    record(APPROVED, actor=pia, subject=customer, reason="Everybody may read it")
    return customer


LOOKS = {
    "Personal data revealed", "Revealed value copied", "Access to personal data given",
    "Access to personal data ended",
}  # fmt: skip
DESK, DECISION = "Personal data request opened", {"Approved": "Everybody may read it"}


def test_who_may_see_the_record_only_is_not_told_who_looked_nor_of_the_privacy_desk(
    looked: Customer, max_: User
) -> None:
    assert shown_to(looked, max_) == DECISION


def test_reasons_of_looks_are_for_who_typed_them_or_reads_the_whole_record(
    looked: Customer, eve: User, ann: User, ada: User, pia: User
) -> None:
    reasons = dict.fromkeys(LOOKS, "A reason of Ann")
    assert shown_to(looked, eve) == dict.fromkeys(LOOKS, "") | DECISION
    assert shown_to(looked, ann) == reasons | DECISION
    assert shown_to(looked, ada) == reasons | {DESK: "A note of Pia"} | DECISION
    assert shown_to(looked, pia)[DESK] == "A note of Pia"
    assert not allow(eve, "customers.change_customer").has_perm("customers.view_privacycase")
    with_desk = allow(eve, "customers.view_privacycase")
    assert shown_to(looked, with_desk) == dict.fromkeys(LOOKS, "") | {DESK: ""} | DECISION


def test_record_without_a_right_to_see_looks_tells_them_to_who_reads_the_whole_record(
    refund: Refund, eve: User, ada: User
) -> None:
    record(REVEALED, actor=ada, subject=refund.payment)
    look = ("Personal data revealed", "Ada")
    assert (look in told(refund.payment, eve), look in told(refund.payment, ada)) == (False, True)


def test_tab_and_panel_are_read_by_the_person_who_asks(looked: Customer, max_: User) -> None:
    client = Client()
    client.force_login(max_)
    page = client.get(f"/admin/customers/customer/{looked.pk}/tab/timeline/").content.decode()
    assert ("Everybody may read it" in page, "revealed" in page) == (True, False)
    assert "A note of Pia" not in page
