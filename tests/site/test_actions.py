"""Actions: GET shows, POST acts, and only for who may, on what they may see, as it was seen."""

import time
from typing import Any

import pytest
from django.test import Client

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.site.versions import version_of
from customers.models import Customer
from tests.clients import signed_in
from tests.people import PASSWORD

pytestmark = pytest.mark.usefixtures("moving_site")


def address(customer: Customer, name: str = "move") -> str:
    return f"/moving/customers/customer/{customer.pk}/do/{name}/"


def values(customer: Customer, **more: Any) -> dict[str, Any]:
    return {"reason": "asked by phone", "record_version": version_of(customer), **more}


def country(customer: Customer) -> str:
    return Customer.objects.get(pk=customer.pk).country


def test_get_shows_the_dialog_and_changes_nothing(mover: User, customer: Customer) -> None:
    answer = signed_in(mover).get(address(customer))
    assert answer.status_code == 200
    assert "Why?" in answer.content.decode()
    assert country(customer) == "France"


def test_post_acts_and_leads_to_the_record(mover: User, customer: Customer) -> None:
    answer = signed_in(mover).post(address(customer), values(customer))
    assert answer["Location"] == f"/moving/customers/customer/{customer.pk}/change/"
    assert country(customer) == "Spain"


def test_post_by_a_script_answers_with_the_address(mover: User, customer: Customer) -> None:
    answer = signed_in(mover).post(
        address(customer), values(customer), headers={"X-Backoffice-Dialog": "1"}
    )
    assert answer.status_code == 204
    assert answer["X-Backoffice-Location"] == f"/moving/customers/customer/{customer.pk}/change/"


def test_post_leads_back_to_the_list_it_came_from(mover: User, customer: Customer) -> None:
    back = "/moving/customers/customer/?country=France"
    answer = signed_in(mover).post(address(customer), values(customer, next=back))
    assert answer["Location"] == back


def test_post_never_leads_to_another_host(mover: User, customer: Customer) -> None:
    answer = signed_in(mover).post(address(customer), values(customer, next="https://evil.test/"))
    assert answer["Location"] == f"/moving/customers/customer/{customer.pk}/change/"


def test_post_without_the_right_is_refused_and_recorded(onlooker: User, customer: Customer) -> None:
    answer = signed_in(onlooker).post(address(customer), values(customer))
    assert answer.status_code == 403
    assert country(customer) == "France"
    event = Event.objects.get(outcome=Outcome.REFUSED)
    assert (event.actor, event.subject_id) == (onlooker, str(customer.pk))


def test_button_is_absent_without_the_right(
    onlooker: User, mover: User, customer: Customer
) -> None:
    page = f"/moving/customers/customer/{customer.pk}/change/"
    assert address(customer) in signed_in(mover).get(page).content.decode()
    assert address(customer) not in signed_in(onlooker).get(page).content.decode()
    assert address(customer) in signed_in(mover).get("/moving/customers/customer/").content.decode()


def test_post_is_refused_in_a_sentence_when_the_state_hides_the_button(
    mover: User, customer: Customer
) -> None:
    Customer.objects.filter(pk=customer.pk).update(country="Spain")
    answer = signed_in(mover).post(address(customer), values(customer))
    assert answer.status_code == 409
    assert "Perhaps somebody else was faster" in answer.content.decode()
    assert Event.objects.filter(outcome=Outcome.REFUSED, actor=mover).count() == 1


def test_record_out_of_scope_is_not_there(
    mover: User, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside: dict[Any, Any] = {
        (Customer, "moving"): lambda _user, rows: rows.exclude(pk=customer.pk)
    }
    monkeypatch.setattr(policy.registry, "scopes", {**policy.registry.scopes, **outside})
    client = signed_in(mover)
    assert client.get(address(customer)).status_code == 404
    assert client.post(address(customer), values(customer)).status_code == 404
    assert country(customer) == "France"


def test_record_that_is_gone_is_not_there(mover: User, customer: Customer) -> None:
    assert signed_in(mover).get("/moving/customers/customer/0/do/move/").status_code == 404


def test_post_after_somebody_elses_change_is_refused(mover: User, customer: Customer) -> None:
    seen = values(customer)
    customer.country = "Italy"
    customer.save()
    answer = signed_in(mover).post(address(customer), seen)
    assert answer.status_code == 409
    assert country(customer) == "Italy"


def test_post_without_a_version_is_refused(mover: User, customer: Customer) -> None:
    answer = signed_in(mover).post(address(customer), {"reason": "asked by phone"})
    assert answer.status_code == 409
    assert country(customer) == "France"


def test_post_without_a_csrf_token_is_refused(
    browser: Client, mover: User, customer: Customer
) -> None:
    browser.force_login(mover)
    assert browser.post(address(customer), values(customer)).status_code == 403
    assert country(customer) == "France"


def test_post_without_a_reason_shows_the_dialog_again(mover: User, customer: Customer) -> None:
    answer = signed_in(mover).post(address(customer), values(customer, reason=""))
    assert answer.status_code == 400
    assert country(customer) == "France"


def test_refusal_of_the_service_stands_in_the_dialog(mover: User, customer: Customer) -> None:
    answer = signed_in(mover).post(address(customer), values(customer, reason="wrong"))
    assert answer.status_code == 400
    assert "Not for this reason." in answer.content.decode()


def with_old_proof(user: User) -> Client:
    client = signed_in(user)
    session = client.session
    session["stepup_at"] = time.time() - 3600
    session.save()
    return client


def test_step_up_asks_for_the_password_when_the_proof_is_old(
    mover: User, customer: Customer
) -> None:
    client = with_old_proof(mover)
    where = address(customer, "move_safely")
    assert "Your password" in client.get(where).content.decode()
    assert client.post(where, values(customer)).status_code == 400
    wrong = values(customer, step_up_proof="wrong")
    assert client.post(where, wrong).status_code == 400
    assert country(customer) == "France"


def test_step_up_accepts_the_password(mover: User, customer: Customer) -> None:
    client = with_old_proof(mover)
    where = address(customer, "move_safely")
    assert client.post(where, values(customer, step_up_proof=PASSWORD)).status_code == 302
    assert country(customer) == "Spain"


def test_step_up_does_not_ask_when_the_proof_is_fresh(mover: User, customer: Customer) -> None:
    client = signed_in(mover)
    where = address(customer, "move_safely")
    assert "Your password" not in client.get(where).content.decode()
    assert client.post(where, values(customer)).status_code == 302
