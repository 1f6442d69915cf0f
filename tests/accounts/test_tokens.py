"""Tokens: shown once, kept as a digest, bounded by scope, time, address and account."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts import machines, scopes, tokens
from backoffice.accounts.models import Kind, Token, User
from backoffice.accounts.tokens import Wish
from backoffice.audit import context
from backoffice.audit.models import Event
from backoffice.masking import services as masking
from backoffice.policy import may
from customers.models import Customer
from tests.factories import make_customer
from tests.people import allow, make_person

CUSTOMERS = "/api/v1/customers/"
READ = ("customers:read",)


def token_of(user: User, *wanted: str, days: int = 30, addresses: tuple[str, ...] = ()) -> str:
    wish = Wish("Nightly job", wanted or READ, days, addresses)
    actor = user if user.kind == Kind.PERSON else make_person(f"boss{user.pk}")
    if user.kind == Kind.SERVICE:
        actor = allow(actor, tokens.MANAGE)
    return tokens.make(user, wish, actor=actor, reason="Nightly job").text


def call(text: str, where: str = CUSTOMERS, **extra: Any) -> Any:
    return Client().get(where, headers={"Authorization": f"Bearer {text}"}, **extra)


@pytest.fixture
def robot(db: None) -> User:
    user = make_person("robot", "support", "finance")
    user.kind = Kind.SERVICE
    user.set_unusable_password()
    user.save()
    return user


def test_token_opens_what_its_scope_names(eve: User) -> None:
    answer = call(token_of(eve))
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    refused = call(token_of(eve, "orders:read"))
    assert refused.status_code == 403
    assert "customers:read" in refused.json()["detail"]
    assert 'error="insufficient_scope", scope="customers:read"' in refused["WWW-Authenticate"]


def test_scope_to_read_is_none_to_write(eve: User) -> None:
    customer = make_customer(number="7")
    headers = {"Authorization": f"Bearer {token_of(eve)}", "If-Match": "*"}
    where = f"{CUSTOMERS}{customer.number}/"
    answer = Client().patch(where, "{}", content_type="application/json", headers=headers)
    assert (answer.status_code, "customers:write" in answer.json()["detail"]) == (403, True)


def test_scope_gives_no_right_that_the_person_lacks(oli: User) -> None:
    customer = make_customer(number="7")
    headers = {"Authorization": f"Bearer {token_of(oli, 'customers:write')}", "If-Match": "*"}
    where = f"{CUSTOMERS}{customer.number}/"
    answer = Client().patch(where, "{}", content_type="application/json", headers=headers)
    assert answer.status_code == 403
    assert "scope" not in answer.json()["detail"]


def test_token_gets_the_masks_and_the_scope_of_rows_of_its_person(eve: User, sol: User) -> None:
    make_customer(number="7", name="Anna Almeida", email="anna@example.com")
    body = call(token_of(eve)).content.decode()
    assert "Anna" not in body
    assert "•" in body
    assert call(token_of(sol)).status_code == 403


def test_database_keeps_no_secret(eve: User) -> None:
    text = token_of(eve)
    kept = str(list(Token.objects.values_list())) + str(list(Event.objects.values_list()))
    assert text.rpartition("_")[2] not in kept
    assert text not in kept
    assert text.split("_")[1] in kept


@pytest.mark.parametrize("change", ["ended", "expired", "inactive", "tampered", "unknown", "empty"])
def test_wrong_token_is_one_and_the_same_401(eve: User, change: str) -> None:
    text = token_of(eve)
    if change == "ended":
        assert tokens.end(Token.objects.get(), actor=eve)
    if change == "expired":
        Token.objects.update(expires_at=timezone.now())
    if change == "inactive":
        User.objects.filter(pk=eve.pk).update(is_active=False)
    text = {
        "tampered": text[:-1] + ("A" if text[-1] != "A" else "B"),
        "unknown": "bo_aaaaaaaa_" + "x" * 43,
        "empty": "",
    }.get(change, text)
    answer = call(text)
    assert (answer.status_code, answer.json()) == (401, {"detail": "This token is not valid."})
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_wrong_token_is_not_saved_by_a_session(eve: User) -> None:
    client = Client()
    client.force_login(eve)
    answer = client.get(CUSTOMERS, headers={"Authorization": "Bearer bo_nonsense"})
    assert answer.status_code == 401


def test_token_is_bound_to_its_addresses(eve: User, settings: Settings) -> None:
    text = token_of(eve, addresses=("198.51.100.0/24", "2001:db8::1"))
    assert call(text, REMOTE_ADDR="198.51.100.9").status_code == 200
    assert call(text, REMOTE_ADDR="2001:db8::1").status_code == 200
    forged = {"Authorization": f"Bearer {text}", "X-Forwarded-For": "198.51.100.9"}
    for _ in range(3):
        answer = Client().get(CUSTOMERS, headers=forged, REMOTE_ADDR="203.0.113.1")
        assert answer.status_code == 401
    event = Event.objects.get(verb="tokens.refused")
    assert (event.actor, event.context["rule"], event.address) == (eve, "address", "203.0.113.1")


def test_last_use_is_noted_once_a_minute(eve: User) -> None:
    text = token_of(eve)
    call(text, REMOTE_ADDR="198.51.100.9")
    first = Token.objects.get()
    assert first.last_used_from == "198.51.100.9"
    call(text, REMOTE_ADDR="198.51.100.10")
    assert Token.objects.get().last_used_at == first.last_used_at
    Token.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    call(text, REMOTE_ADDR="198.51.100.10")
    assert Token.objects.get().last_used_from == "198.51.100.10"


def test_record_says_by_which_token(eve: User) -> None:
    customer = make_customer(number="7")
    text = token_of(eve, "customers:write")
    answer = Client().patch(
        f"{CUSTOMERS}{customer.number}/",
        '{"phone": "+32 2 555 0199", "reason": "Called from it"}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {text}", "If-Match": "*"},
    )
    assert answer.status_code == 200
    event = Event.objects.get(verb="record.changed")
    assert event.context == {"fields": ["phone"], "token": text.split("_")[1]}
    assert context.current().token == ""


@pytest.mark.parametrize(
    "wish",
    [
        Wish("", READ, 30),
        Wish("Job", (), 30),
        Wish("Job", ("everything:write",), 30),
        Wish("Job", READ, 0),
        Wish("Job", READ, 366),
        Wish("Job", READ, 30, ("nonsense",)),
        Wish("Job", READ, 30, tuple(f"192.0.2.{n}" for n in range(21))),
    ],
)
def test_wish_is_checked(eve: User, wish: Wish) -> None:
    with pytest.raises(ValidationError):
        tokens.make(eve, wish, actor=eve, reason="Job")
    assert not Token.objects.exists()


def test_token_wants_a_reason(eve: User) -> None:
    with pytest.raises(ValidationError):
        tokens.make(eve, Wish("Job", READ, 30), actor=eve, reason=" ")


def test_nobody_makes_a_token_for_another_person(eve: User, kim: User) -> None:
    with pytest.raises(PermissionDenied):
        tokens.make(eve, Wish("Job", READ, 30), actor=kim, reason="Job")


def test_nobody_makes_a_token_while_acting_for_somebody(eve: User, kim: User) -> None:
    with context.in_the_name_of_another(kim.pk), pytest.raises(PermissionDenied):
        tokens.make(eve, Wish("Job", READ, 30), actor=eve, reason="Job")


def test_token_for_a_service_account_needs_the_right(eve: User, robot: User) -> None:
    with pytest.raises(PermissionDenied):
        tokens.make(robot, Wish("Job", READ, 30), actor=eve, reason="Job")
    with pytest.raises(PermissionDenied):
        tokens.make(robot, Wish("Job", READ, 30), actor=robot, reason="Job")
    assert call(token_of(robot)).status_code == 200


def test_token_is_ended_by_its_person_or_with_the_right(eve: User, oli: User, gus: User) -> None:
    token_of(eve)
    token = Token.objects.get()
    with pytest.raises(PermissionDenied):
        tokens.end(token, actor=oli)
    assert tokens.end(token, actor=allow(gus, tokens.MANAGE), reason="Leaked")
    assert not tokens.end(token, actor=eve)
    assert Event.objects.get(verb="tokens.ended").actor == gus


def test_all_tokens_of_an_account_end_at_once(eve: User, kim: User) -> None:
    texts = [token_of(eve), token_of(eve)]
    assert tokens.end_all(eve, actor=kim, reason="Left") == 2
    assert [call(text).status_code for text in texts] == [401, 401]


def test_service_account_has_no_right_that_is_kept_for_people(robot: User) -> None:
    for kept in (
        "customers.reveal_customer",
        "payments.request_refund",
        "payments.approve_refund",
        "masking.give_grant",
        "accounts.manage_tokens",
        "approvals.add_delegation",
    ):
        robot = allow(robot, kept) if kept != "approvals.add_delegation" else robot
        assert not robot.has_perm(kept), kept
    assert robot.has_perm("customers.view_customer")
    assert robot.has_perm("approvals.view_approvalrequest")
    robot.is_superuser = True
    robot.save()
    assert not User.objects.get(pk=robot.pk).has_perm("customers.reveal_customer")


def test_grant_for_one_record_lets_no_service_account_reveal(
    robot: User, eve: User, max_: User
) -> None:
    customer = make_customer(number="7")
    for user in (robot, eve):
        masking.give_grant(customer, user=user, actor=max_, reason="delivery")
    assert may(eve, "reveal", customer)
    assert not may(robot, "reveal", customer)
    reason = masking.Reason("call", "Call back")
    with pytest.raises(masking.RevealRefusedError):
        masking.reveal(customer, "phone", actor=robot, reason=reason, fresh=True)
    assert Customer.objects.count() == 1


def test_setting_lets_service_accounts_do_what_it_names(robot: User, settings: Settings) -> None:
    settings.BACKOFFICE_SERVICE_MAY = ["payments.request_refund"]
    assert robot.has_perm("payments.request_refund")
    assert not robot.has_perm("payments.approve_refund")


def test_no_token_decides_about_approvals(max_: User) -> None:
    text = token_of(max_, *scopes.known())
    headers = {"Authorization": f"Bearer {text}"}
    for verb in ("approve", "reject"):
        answer = Client().post(
            f"/api/v1/approvals/1/{verb}/", "{}", content_type="application/json", headers=headers
        )
        assert (answer.status_code, "No token" in answer.json()["detail"]) == (403, True)


def test_rights_that_are_kept_for_people_exist() -> None:
    assert machines.is_for_people("payments.request_refund")
    assert not machines.is_for_people("orders.cancel_order")


def test_request_without_csrf_token_but_with_a_token_is_taken(eve: User) -> None:
    customer = make_customer(number="7")
    answer = Client(enforce_csrf_checks=True).patch(
        f"{CUSTOMERS}{customer.number}/",
        "{}",
        content_type="application/json",
        headers={"Authorization": f"Bearer {token_of(eve, 'customers:write')}", "If-Match": "*"},
    )
    assert answer.status_code == 200
