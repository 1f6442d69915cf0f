"""One stream on a record: changes, reveals, approvals, jobs, gateway calls; constant queries."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.services import APPROVED, ASKED
from backoffice.audit.models import Outcome
from backoffice.audit.services import record, save_with_history
from backoffice.jobs.models import Job
from backoffice.jobs.services import STARTED
from backoffice.masking.services import REVEALED
from backoffice.site import timeline
from customers.models import Customer
from payments.models import Payment, Refund
from payments.services.moves import VERBS
from tests.factories import make_order, make_payment


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


def told(obj: Customer | Payment) -> set[tuple[str, str]]:
    return {(entry.what, entry.who) for entry in timeline.entries(obj)}


def test_changes_reveals_approvals_and_jobs_stand_in_one_stream(
    customer: Customer, eve: User, max_: User
) -> None:
    job = Job.objects.create(kind="approvals.execute", title="Block")
    asked = request_about(customer, eve, job)
    record(REVEALED, actor=eve, subject=customer, reason="Call back")
    record(ASKED, actor=eve, subject=customer)
    record(APPROVED, actor=max_, subject=asked)
    record(STARTED, actor=max_, subject=job)
    assert told(customer) == {
        ("Added", "Eve"), ("Personal data revealed", "Eve"), ("Approval asked for", "Eve"),
        ("Approved", "Max"), ("Job started", "Max"),
    }  # fmt: skip


def test_gateway_calls_and_decisions_about_refunds_stand_with_the_payment(
    refund: Refund, max_: User
) -> None:
    record(VERBS[Refund.State.UNKNOWN], actor=None, subject=refund, outcome=Outcome.FAILED)
    record(APPROVED, actor=max_, subject=request_about(refund, refund.requested_by))
    wanted = {("Outcome unknown (Failed)", "System"), ("Approved", "Max")}
    assert wanted <= told(refund.payment)


def test_what_is_about_others_stays_away(customer: Customer, eve: User) -> None:
    other = Customer.objects.create(number="2")
    # A request about a row of another kind that has the same key.
    job = Job.objects.create(kind="test", title="x")
    strange = request_about(customer, eve)
    strange.subject_type = "jobs.job"
    strange.save()
    record(APPROVED, actor=eve, subject=strange)
    record(STARTED, actor=eve, subject=job)
    record(REVEALED, actor=eve, subject=other)
    assert told(customer) == {("Added", "Eve")}


def test_newest_stands_first_and_few_stand_there(customer: Customer, eve: User) -> None:
    for number in range(20):
        record(REVEALED, actor=eve, subject=customer, reason=str(number))
    found = timeline.entries(customer)
    assert [entry.why for entry in found] == [str(number) for number in range(19, 7, -1)]


def test_number_of_queries_does_not_grow(customer: Customer, eve: User) -> None:
    counts = []
    for many in (1, 8):
        for _ in range(many):
            record(APPROVED, actor=eve, subject=request_about(customer, eve), reason="Fine")
            record(REVEALED, actor=eve, subject=customer, reason="Call back")
        with CaptureQueriesContext(connection) as queries:
            timeline.entries(customer)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3


def test_request_about_anothers_refund_with_the_payments_key_stays_away(
    refund: Refund, max_: User
) -> None:
    payment = make_payment(make_order(1000))
    Refund.objects.create(
        pk=payment.pk + 50, payment=payment, amount_minor=100, currency="GBP", reason="Broken",
        requested_by=refund.requested_by,
    )  # fmt: skip
    asked = request_about(refund, refund.requested_by)
    # About a refund whose key is the payment's own, and which is not among the payment's refunds.
    ApprovalRequest.objects.filter(pk=asked.pk).update(subject_id=str(payment.pk))
    record(APPROVED, actor=max_, subject=asked)
    assert ("Approved", "Max") not in told(payment)
