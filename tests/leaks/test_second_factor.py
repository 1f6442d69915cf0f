"""Clear values are shown after a second factor: the password alone opens none of their doors."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from backoffice.accounts import stepup
from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event, Outcome
from backoffice.files import links
from backoffice.masking.services import REVEALED
from backoffice.sheets.models import ClearExport
from customers.models import Customer
from tests.accounts.factor_codes import app_code, set_up_app
from tests.clients import signed_in
from tests.customers.desk import done, open_case
from tests.factories import make_customer
from tests.people import PASSWORD, allow, make_person
from tests.sheets import test_clear_exports as exports

PHONE = "+351 21 5550 1183"
WHY = {"purpose": "legal", "text": "The court of Lyon asks"}
pytestmark = pytest.mark.django_db
# go(client, proof) -> the answer of one door to clear values.
type Door = Callable[[Client, str], Any]


@pytest.fixture
def owner(db: None, settings: Settings) -> User:
    """Return somebody with every right to clear values, where a second factor is wanted."""
    settings.BACKOFFICE_REVEAL_FACTOR = True
    return allow(make_person("kim", "owner"), "customers.reveal_customer")


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer(name="Ana Bento", phone=PHONE)


def _reveal(customer: Customer, owner: User, pia: User) -> Door:
    where = reverse("admin:customers_customer_reveal", args=[customer.pk, "phone"])
    return lambda client, proof: client.post(where, {**WHY, "step_up_proof": proof})


def _unmask(customer: Customer, owner: User, pia: User) -> Door:
    where = reverse("admin:customers_customer_unmask")
    posted = {**WHY, "fields_shown": ["phone"], "pk": [customer.pk]}
    return lambda client, proof: client.post(where, {**posted, "step_up_proof": proof})


def _ask(customer: Customer, owner: User, pia: User) -> Door:
    where = reverse("admin:customers_customer_clear_export")
    posted = {**WHY, "names": ["phone"]}
    return lambda client, proof: client.post(where, {**posted, "step_up_proof": proof})


def _open_file(customer: Customer, owner: User, pia: User) -> Door:
    kept = exports.made(owner, pia).file
    assert kept is not None
    where = links.address(kept, "admin")
    return lambda client, proof: client.post(where, {"step_up_proof": proof})


def _ask_for_a_person(customer: Customer, owner: User, pia: User) -> Door:
    case = open_case(customer, "export", owner)
    where = reverse("admin:privacy_ask", args=[case.pk])
    return lambda client, proof: client.post(where, {"reason": "by letter", "step_up_proof": proof})


def _open_file_of_a_person(customer: Customer, owner: User, pia: User) -> Door:
    kept = done(open_case(customer, "export", owner), owner, pia).file
    assert kept is not None
    where = links.address(kept, "admin")
    return lambda client, proof: client.post(where, {"step_up_proof": proof})


DOORS = (_reveal, _unmask, _ask, _open_file, _ask_for_a_person, _open_file_of_a_person)
every_door = pytest.mark.parametrize("door", DOORS)


def opened(answer: Any) -> bool:
    """Say whether the door let in: a value, a file, or a request that went on."""
    return answer.streaming or answer.status_code == 302 or PHONE in answer.content.decode()


def states() -> tuple[int, int, int]:
    """Return what a door that opens adds to."""
    shown = Event.objects.filter(verb=REVEALED, outcome=Outcome.DONE)
    return shown.count(), ClearExport.objects.count(), ApprovalRequest.objects.count()


@every_door
def test_without_a_factor_every_door_is_shut_and_leads_to_enrolling(
    door: Any, owner: User, customer: Customer, pia: User
) -> None:
    go = door(customer, owner, pia)
    before, client = states(), signed_in(owner)  # signed in just now, by the password
    for proof in ("", PASSWORD):
        answer = go(client, proof)
        assert (answer.status_code, opened(answer)) == (400, False)
        assert f'href="{reverse("mfa_index")}"' in answer.content.decode()
    assert states() == before


@every_door
def test_password_alone_is_refused_and_a_code_opens(
    door: Any, owner: User, customer: Customer, pia: User
) -> None:
    go = door(customer, owner, pia)
    set_up_app(owner)
    before, client = states(), signed_in(owner)
    refused = go(client, PASSWORD)
    assert (refused.status_code, opened(refused), states()) == (400, False, before)
    assert opened(go(client, app_code()))


@every_door
def test_switched_off_the_password_does(
    door: Any, owner: User, customer: Customer, pia: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEAL_FACTOR = False
    assert opened(door(customer, owner, pia)(signed_in(owner, fresh=False), PASSWORD))


def test_missing_setting_is_on(owner: User, customer: Customer, settings: Settings) -> None:
    del settings.BACKOFFICE_REVEAL_FACTOR
    answer = _reveal(customer, owner, owner)(signed_in(owner), PASSWORD)
    assert (answer.status_code, opened(answer)) == (400, False)


def test_other_deeds_take_the_password_and_leave_reveals_shut(
    owner: User, customer: Customer
) -> None:
    client = signed_in(owner, fresh=False)
    where = reverse("admin:role_change", args=["support", "audit.view_event"])
    assert client.post(where, {"reason": "x", "step_up_proof": PASSWORD}).status_code == 302
    assert client.session["stepup_by"] == stepup.PASSWORD
    assert not opened(_reveal(customer, owner, owner)(client, ""))


def test_sign_in_at_a_provider_that_asked_for_a_factor_does(
    owner: User, customer: Customer
) -> None:
    client = signed_in(owner)
    session = client.session
    session["stepup_by"] = stepup.PROVIDER
    session.save()
    assert opened(_reveal(customer, owner, owner)(client, ""))
    session["stepup_at"] = 0
    session.save()
    assert not opened(_reveal(customer, owner, owner)(client, PASSWORD))
