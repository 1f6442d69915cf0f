"""Fresh proof: by what, how long, how often wrong; and that a code is good once."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.http import HttpRequest
from django.test import Client, RequestFactory

from backoffice.accounts import codes, limits, stepup
from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.site import proving
from tests.people import PASSWORD


@pytest.fixture
def request_of_ann(rf: RequestFactory, ann: User) -> HttpRequest:
    request = rf.post("/")
    request.user, request.session = ann, SessionStore()
    return request


@pytest.fixture
def secret(ann: User) -> str:
    """The secret of ann's authenticator app."""
    made: str = totp.generate_totp_secret()
    totp.TOTP.activate(ann, made)
    return made


def code_of(secret: str, step: int = 0) -> str:
    counter = int(time.time()) // 30 + step
    return str(totp.format_hotp_value(totp.hotp_value(secret, counter)))


def test_step_up_is_not_fresh_without_proof(request_of_ann: HttpRequest) -> None:
    assert not stepup.is_fresh(request_of_ann)


def test_step_up_refuses_a_wrong_password(request_of_ann: HttpRequest) -> None:
    assert not stepup.confirm(request_of_ann, "wrong")
    assert not stepup.is_fresh(request_of_ann)


def test_step_up_is_fresh_for_ten_minutes(request_of_ann: HttpRequest) -> None:
    assert stepup.confirm(request_of_ann, PASSWORD)
    assert stepup.is_fresh(request_of_ann)
    request_of_ann.session["stepup_at"] = time.time() - 601
    assert not stepup.is_fresh(request_of_ann)


def test_step_up_from_the_future_is_not_fresh(request_of_ann: HttpRequest) -> None:
    request_of_ann.session["stepup_at"] = time.time() + 3600
    assert not stepup.is_fresh(request_of_ann)


def test_step_up_refuses_somebody_deactivated(request_of_ann: HttpRequest, ann: User) -> None:
    ann.is_active = False
    assert not stepup.confirm(request_of_ann, PASSWORD)


def test_password_does_not_do_for_whom_a_factor_is_enrolled(
    request_of_ann: HttpRequest, ann: User, secret: str
) -> None:
    assert stepup.methods(ann) == ("code",)
    assert not stepup.confirm(request_of_ann, PASSWORD)
    assert stepup.confirm(request_of_ann, code_of(secret))
    assert stepup.is_fresh(request_of_ann)


def test_proof_by_password_ends_when_a_factor_is_enrolled(
    request_of_ann: HttpRequest, ann: User
) -> None:
    assert stepup.confirm(request_of_ann, PASSWORD)
    totp.TOTP.activate(ann, totp.generate_totp_secret())
    assert not stepup.is_fresh(request_of_ann)


def test_code_is_good_once_even_where_the_cache_forgot_it(
    request_of_ann: HttpRequest, secret: str
) -> None:
    code = code_of(secret)
    assert stepup.confirm(request_of_ann, code)
    cache.clear()  # another process has a cache of its own
    assert not stepup.confirm(request_of_ann, code)
    assert not stepup.confirm(request_of_ann, f"{code[:3]} {code[3:]}")


def test_recovery_code_is_good_once(request_of_ann: HttpRequest, ann: User, secret: str) -> None:
    first, *_rest = RecoveryCodes.activate(ann).generate_codes()
    assert stepup.confirm(request_of_ann, first)
    assert not stepup.confirm(request_of_ann, first)


def test_recovery_codes_alone_are_no_factor(ann: User) -> None:
    RecoveryCodes.activate(ann)
    assert stepup.methods(ann) == ("password",)


def test_code_of_somebody_else_does_not_do(
    request_of_ann: HttpRequest, eve: User, secret: str
) -> None:
    request_of_ann.user = eve
    totp.TOTP.activate(eve, totp.generate_totp_secret())
    assert not stepup.confirm(request_of_ann, code_of(secret))


@pytest.mark.django_db
def test_somebody_without_password_and_factor_is_told_to_sign_in_again(
    request_of_ann: HttpRequest, ann: User
) -> None:
    ann.set_unusable_password()
    assert stepup.methods(ann) == ()
    assert "sign in again" in proving.refusal(request_of_ann, "anything")


def test_wrong_proofs_are_limited_and_on_the_record(request_of_ann: HttpRequest) -> None:
    for _try in range(stepup.WRONG.hits):
        assert not stepup.confirm(request_of_ann, "wrong")
    with pytest.raises(stepup.TooManyTriesError):
        stepup.confirm(request_of_ann, PASSWORD)
    assert "Too many wrong tries" in proving.refusal(request_of_ann, PASSWORD)
    assert Event.objects.filter(verb=stepup.FAILED).count() == stepup.WRONG.hits


def test_right_proof_takes_the_wrong_ones_back(request_of_ann: HttpRequest) -> None:
    for _try in range(stepup.WRONG.hits - 1):
        stepup.confirm(request_of_ann, "wrong")
    assert stepup.confirm(request_of_ann, PASSWORD)
    assert not stepup.confirm(request_of_ann, "wrong")


@pytest.mark.django_db
def test_once_counts_across_the_turn_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000_000_000 + 119]
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: clock[0]))
    assert limits.once("test", "key", seconds=120)
    clock[0] += 2
    assert not limits.once("test", "key", seconds=120)
    clock[0] += 240
    assert limits.once("test", "key", seconds=120)


def sign_in(client: Client, ann: User, kind: str) -> Any:
    """Sign in as allauth does after these steps."""
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time()},
        *([{"method": "mfa", "type": kind, "at": time.time()}] if kind else []),
    ]
    session["account_authentication_methods_user"] = str(ann.pk)
    session.save()
    client.force_login(ann)
    return client.session["stepup_by"]


@pytest.mark.parametrize(
    ("kind", "by"), [("", "password"), ("totp", "code"), ("webauthn", "passkey")]
)
def test_sign_in_starts_the_ten_minutes_by_what_it_was_done_with(
    client: Client, ann: User, kind: str, by: str
) -> None:
    assert sign_in(client, ann, kind) == by


def test_sign_in_by_password_alone_is_no_proof_where_there_is_a_factor(
    client: Client, ann: User, secret: str, rf: RequestFactory
) -> None:
    request = rf.get("/")
    request.user = ann
    sign_in(client, ann, "")
    request.session = client.session
    assert not stepup.is_fresh(request)
    sign_in(client, ann, "totp")
    request.session = client.session
    assert stepup.is_fresh(request)


def test_too_long_a_code_is_looked_at_by_nobody(ann: User, secret: str) -> None:
    assert codes.use(ann, code_of(secret) + "0" * 40) is None
    assert codes.use(ann, code_of(secret)) == Authenticator.objects.get(user=ann)


def test_export_asks_for_proof_and_keeps_what_was_asked(client: Client, ann: User) -> None:
    client.force_login(ann)
    session = client.session
    session["stepup_at"] = 0
    session.save()
    where = "/admin/customers/customer/export/?country=Spain"
    page = client.post(where, {"format": "csv"})
    text = page.content.decode()
    assert page.headers["Content-Type"].startswith("text/html")
    assert 'name="format" value="csv"' in text
    assert where in text
    wrong = client.post(where, {"format": "csv", "step_up_proof": "wrong"})
    assert wrong.status_code == 400
    assert not Event.objects.filter(verb="record.exported").exists()
    right = client.post(where, {"format": "csv", "step_up_proof": PASSWORD})
    assert right.headers["Content-Type"].startswith("text/csv")
