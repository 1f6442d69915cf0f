"""The history page names the approval that was carried out when a row changed, and no other."""

import pytest
from django.test import Client

from backoffice.accounts.models import User
from backoffice.approvals import registry
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.registry import Rule
from backoffice.audit import verbs
from backoffice.audit.models import Event
from backoffice.audit.services import save_with_history
from backoffice.site.history import revisions
from customers.models import Customer

KIND = "tests.country"


def _execute(request: ApprovalRequest) -> None:
    customer = request.record()
    customer.country = request.payload["to"]
    save_with_history(customer, actor=request.decided_by, reason=request.reason)


@pytest.fixture
def customer(ann: User, max_: User, monkeypatch: pytest.MonkeyPatch) -> Customer:
    """Return a customer who was added, changed by a request that max approved, and edited."""
    rule = Rule(KIND, "Change the country", "payments.approve_refund", _execute)
    monkeypatch.setitem(registry._rules, KIND, rule)
    made = Customer(number="12437", name="Anna Keller")
    save_with_history(made, actor=ann)
    asked = approvals.ask(
        KIND, subject=made, payload={"to": "Spain"}, summary="Spain", reason="Moved", actor=ann
    )
    approvals.approve(asked, actor=max_)
    made.refresh_from_db()
    assert made.country == "Spain"
    save_with_history(made, actor=ann, reason="Looked again")
    return made


def test_change_by_a_request_names_it_and_others_do_not(customer: Customer) -> None:
    request = ApprovalRequest.objects.get()
    assert [revision.approval for revision in revisions(customer)] == [None, request, None]


def test_request_about_another_record_is_not_named(customer: Customer) -> None:
    ApprovalRequest.objects.update(subject_id=str(customer.pk + 1))
    assert [revision.approval for revision in revisions(customer)] == [None] * 3


def test_page_links_the_request_and_looking_is_recorded(customer: Customer, eve: User) -> None:
    client = Client()
    client.force_login(eve)
    page = client.get(f"/admin/customers/customer/{customer.pk}/history/").content.decode()
    key = ApprovalRequest.objects.get().pk
    assert f'href="/admin/approvals/{key}/"' in page
    assert Event.objects.filter(verb=verbs.HISTORY_VIEWED, actor=eve).count() == 1
