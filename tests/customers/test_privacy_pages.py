"""Pages of the privacy desk: who opens them, what they show, what a POST needs."""

import time
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.money import Money
from customers.models import Customer, PrivacyCase
from customers.services import privacy
from payments import services as payments
from tests.canaries import CUSTOMER, FORMER, leaks
from tests.clients import version_in
from tests.customers.desk import done, open_case
from tests.factories import make_customer, make_order, make_payment
from tests.people import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_places")]
State = PrivacyCase.State


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
    assert ("5 Feb 2026" in text, "Late" in text) == (True, True)
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
    version = version_in(client, url)
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
