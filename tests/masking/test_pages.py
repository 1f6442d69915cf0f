"""The dialogs on a customer's page: reveal one value, ask for access, end a grant."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event
from backoffice.masking.models import Grant
from backoffice.masking.services import GRANT_ENDED, REVEALED, give_grant
from customers.models import Customer
from tests.clients import signed_in, version_in
from tests.masking.conftest import PHONE, leaks
from tests.masking.test_services import make_customer
from tests.people import PASSWORD

WHY = {"purpose": "delivery", "text": "Carrier asks for a number"}
SCRIPT = {"X-Backoffice-Dialog": "1"}


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer()


def address(view: str, customer: Customer, field: str = "phone") -> str:
    return reverse(f"admin:customers_customer_{view}", args=[customer.pk, field])


def text(response: Any) -> str:
    return str(response.content.decode())


def test_opening_the_dialog_shows_and_records_nothing(customer: Customer, ann: User) -> None:
    response = signed_in(ann).get(address("reveal", customer))
    assert (response.status_code, leaks(text(response))) == (200, [])
    assert "30 more records this hour, 120 today" in text(response)
    assert not Event.objects.filter(verb=REVEALED).exists()


def test_posting_a_reason_shows_this_one_value(customer: Customer, ann: User) -> None:
    response = signed_in(ann).post(address("reveal", customer), WHY, headers=SCRIPT)
    assert response.status_code == 200
    assert PHONE in text(response)
    assert leaks(text(response).replace(PHONE, "")) == []
    assert "no-store" in response["Cache-Control"]
    assert "<html" not in text(response)


def test_without_script_the_page_leaves_by_itself(customer: Customer, ann: User) -> None:
    response = signed_in(ann).post(address("reveal", customer), WHY)
    assert PHONE in text(response)
    assert response["Refresh"] == f"60; url=/admin/customers/customer/{customer.pk}/change/"


@pytest.mark.parametrize("missing", ["purpose", "text"])
def test_posting_without_a_reason_shows_no_value(
    customer: Customer, ann: User, missing: str
) -> None:
    response = signed_in(ann).post(address("reveal", customer), {**WHY, missing: ""})
    assert (response.status_code, leaks(text(response))) == (400, [])
    assert not Event.objects.filter(verb=REVEALED).exists()


def test_password_is_asked_when_the_last_proof_is_old(customer: Customer, ann: User) -> None:
    client = signed_in(ann, fresh=False)
    where = address("reveal", customer)
    assert "step_up_proof" in text(client.get(where))
    for password in ("", "wrong"):
        response = client.post(where, {**WHY, "step_up_proof": password})
        assert (response.status_code, leaks(text(response))) == (400, [])
    response = client.post(where, {**WHY, "step_up_proof": PASSWORD})
    assert PHONE in text(response)


def test_person_without_the_right_is_refused_and_it_is_recorded(
    customer: Customer, eve: User
) -> None:
    client = signed_in(eve)
    where = address("reveal", customer)
    assert client.get(where).status_code == 403
    response = client.post(where, WHY)
    assert (response.status_code, leaks(text(response))) == (403, [])
    event = Event.objects.get(verb=REVEALED)
    assert (event.actor, event.outcome) == (eve, "refused")


def test_person_who_may_not_see_customers_is_refused(customer: Customer, gus: User) -> None:
    response = signed_in(gus).post(address("reveal", customer), WHY)
    assert (response.status_code, leaks(text(response))) == (403, [])


def test_over_the_limit_the_dialog_says_so(
    customer: Customer, ann: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 0
    response = signed_in(ann).post(address("reveal", customer), WHY)
    assert (response.status_code, leaks(text(response))) == (429, [])
    assert "as many records as your limit allows" in text(response)


def test_post_without_the_csrf_token_is_refused(customer: Customer, ann: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    assert client.post(address("reveal", customer), WHY).status_code == 403
    assert not Event.objects.filter(verb=REVEALED).exists()


@pytest.mark.parametrize("field", ["country", "number", "nothing", "phone_index", "history"])
def test_only_masked_fields_have_an_address(customer: Customer, ann: User, field: str) -> None:
    client = signed_in(ann)
    assert client.get(address("reveal", customer, field)).status_code == 404
    assert client.post(address("ask", customer, field), {"reason": "x"}).status_code == 404


def test_unknown_record_is_not_found(customer: Customer, ann: User) -> None:
    customer.pk = 999_999
    assert signed_in(ann).post(address("reveal", customer), WHY).status_code == 404


def test_record_page_offers_what_the_person_may(customer: Customer, ann: User, eve: User) -> None:
    page = reverse("admin:customers_customer_change", args=[customer.pk])
    pages = {user: text(signed_in(user).get(page)) for user in (ann, eve)}
    links = {user: (address("reveal", customer) in pages[user], address("ask", customer) in
                    pages[user]) for user in pages}  # fmt: skip
    assert links == {ann: (True, False), eve: (False, True)}
    assert [leaks(page) for page in pages.values()] == [[], []]


def test_asking_leads_to_a_request(customer: Customer, eve: User) -> None:
    client = signed_in(eve)
    where = address("ask", customer)
    version = version_in(client, where)
    asked = {"reason": "the carrier calls", "record_version": version}
    for minutes in ("", "0", "481", "x"):
        assert client.post(where, {**asked, "minutes": minutes}).status_code == 400
    response = client.post(where, {**asked, "minutes": "480"})
    assert response.status_code == 302
    request = ApprovalRequest.objects.get()
    assert (request.maker, request.payload["minutes"]) == (eve, 480)
    page = text(client.get(reverse("admin:customers_customer_change", args=[customer.pk])))
    assert "You asked for access to this record" in page
    assert reverse("admin:approval", args=[request.pk]) in page


def test_grant_opens_the_button_of_this_record_only(
    customer: Customer, eve: User, max_: User
) -> None:
    other = make_customer("999")
    give_grant(customer, user=eve, actor=max_, reason="delivery")
    client = signed_in(eve)
    pages = [reverse("admin:customers_customer_change", args=[one.pk]) for one in (customer, other)]
    told = "gave you access: you may reveal values of this record until"
    assert [told in text(client.get(page)) for page in pages] == [True, False]
    assert PHONE in text(client.post(address("reveal", customer), WHY))
    assert client.post(address("reveal", other), WHY).status_code == 403


def test_page_of_grants_and_ending_one(
    customer: Customer, eve: User, max_: User, ada: User
) -> None:
    grant = give_grant(customer, user=eve, actor=max_, reason="delivery")
    listing = reverse("admin:masking_grant_changelist")
    assert signed_in(eve).get(listing).status_code == 403
    listed = text(signed_in(ada).get(listing))
    assert ("Open" in listed, f"Customer {customer.number}" in listed) == (True, True)
    one = text(signed_in(ada).get(reverse("admin:masking_grant_change", args=[grant.pk])))
    assert f"Access of {eve} to customer {customer.number}" in one
    assert "customers.reveal_customer" not in one
    end = reverse("admin:masking_grant_do_end", args=[grant.pk])
    assert signed_in(ada).get(end).status_code == 403
    client = signed_in(max_)
    version = version_in(client, end)
    client.post(end, {"reason": "done", "record_version": version})
    assert Grant.objects.get().ended_by == max_
    assert Event.objects.get(verb=GRANT_ENDED).reason == "done"
