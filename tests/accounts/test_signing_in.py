"""The one door: passwords, where one comes out, second factors, replays, what lies readable."""

import zlib

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core import signing
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.mail.models import Mail
from sellers.models import Membership
from tests.accounts.factor_codes import (
    SECRET,
    app_code,
    code_of,
    enter,
    is_in,
    other_process,
    recovery_codes,
    set_up_app,
)
from tests.people import PASSWORD


def verbs(user: User) -> list[str]:
    return list(Event.objects.about(user).order_by("id").values_list("verb", flat=True))


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "/nowhere/", "javascript:1"],
)
def test_sign_in_leads_to_pages_of_ours_only(eve: User, wanted: str) -> None:
    assert enter(Client(), "eve", to=wanted)["Location"] == "/admin/"


def test_sign_in_leads_back_to_the_page_that_was_wanted(eve: User) -> None:
    assert enter(Client(), "eve", to="/admin/jobs/?q=1")["Location"] == "/admin/jobs/?q=1"


def test_nobody_makes_an_account_for_themselves(db: None) -> None:
    assert Client().get("/account/signup/").status_code == 404


def test_blocked_person_hears_what_a_wrong_password_would(eve: User) -> None:
    User.objects.filter(pk=eve.pk).update(is_active=False)
    answer = enter(Client(), "eve")
    assert "User name and password do not match." in answer.content.decode()


def test_password_alone_does_not_open_an_account_with_a_factor(eve: User) -> None:
    set_up_app(eve)
    client = Client()
    assert enter(client, "eve")["Location"] == "/account/login/factor/"
    assert not is_in(client)
    assert client.get("/account/factors/").status_code == 302
    client.post("/account/login/factor/", {"code": "000000"})
    assert not is_in(client)
    assert verbs(eve)[-1] == "accounts.factor_failed"
    assert client.post("/account/login/factor/", {"code": app_code()})["Location"] == "/admin/"
    assert is_in(client)


def test_app_code_is_good_once_in_any_process(eve: User) -> None:
    set_up_app(eve)
    code = app_code()
    for works in (True, False):
        other_process()
        client = Client()
        enter(client, "eve")
        client.post("/account/login/factor/", {"code": code})
        assert is_in(client) is works


def test_recovery_code_is_good_once_and_on_the_record(eve: User) -> None:
    set_up_app(eve)
    code = recovery_codes(eve)[0]
    for works in (True, False):
        client = Client()
        enter(client, "eve")
        client.post("/account/login/factor/", {"code": code})
        assert is_in(client) is works
    assert verbs(eve).count("accounts.recovery_code_used") == 1
    told = Mail.objects.filter(to_user=eve, template="accounts.sign_in_changed")
    assert "A recovery code was used; 9 are left" in set(told.values_list("subject", flat=True))


def test_factor_codes_are_not_tried_for_ever(eve: User, settings: Settings) -> None:
    settings.BACKOFFICE_LOCKOUT = {
        kind: {who: [(3, 900)] for who in ("pair", "address", "account")}
        for kind in ("password", "code", "reset")
    }
    set_up_app(eve)
    client = Client()
    enter(client, "eve")
    for _try in range(4):
        answer = client.post("/account/login/factor/", {"code": "000000"})
    assert "Too many tries" in answer.content.decode()
    client.post("/account/login/factor/", {"code": app_code()})
    assert not is_in(client)


def test_keys_lie_sealed_in_the_database(eve: User) -> None:
    client = Client()
    client.force_login(eve)
    page = client.get("/account/factors/app/").content.decode()
    key = client.session["mfa.totp.secret"]
    assert key in page
    raw = Session.objects.get(session_key=client.session.session_key).session_data
    inner = zlib.decompress(signing.b64_decode(raw.split(":")[0].removeprefix(".").encode()))
    assert key.encode() not in inner
    assert inner.startswith(b"v1.")
    set_up_app(eve)
    data = str(list(Authenticator.objects.filter(user=eve).values_list("data", flat=True)))
    assert SECRET not in data
    assert data.count("v1.development.") == 2


def test_app_is_set_up_with_its_first_code_and_recovery_codes_are_shown_once(eve: User) -> None:
    client = Client()
    client.force_login(eve)
    page = client.get("/account/factors/app/")
    assert b"<svg viewBox" in page.content
    assert b"style=" not in page.content
    code = code_of(client.session["mfa.totp.secret"])
    answer = client.post("/account/factors/app/", {"code": code})
    assert answer["Location"] == "/account/factors/codes/"
    codes = recovery_codes(eve)
    shown = client.get("/account/factors/codes/").content.decode()
    assert all(one in shown for one in codes)
    again = client.get("/account/factors/codes/").content.decode()
    assert not any(one in again for one in codes)
    assert verbs(eve).count("accounts.factor_added") == 2


def test_factors_are_changed_with_fresh_proof_only(eve: User) -> None:
    client = Client()
    client.force_login(eve)
    session = client.session
    session["stepup_at"] = 1
    session.save()
    answer = client.get("/account/factors/app/")
    assert answer["Location"] == "/account/again/?next=%2Faccount%2Ffactors%2Fapp%2F"
    wrong = client.post(answer["Location"], {"password": "wrong"})
    assert wrong.status_code == 200
    right = client.post(answer["Location"], {"password": PASSWORD})
    assert right["Location"] == "/account/factors/app/"
    assert client.get("/account/factors/app/").status_code == 200


def test_password_does_not_prove_somebody_with_a_factor(eve: User) -> None:
    set_up_app(eve)
    client = Client()
    client.force_login(eve)
    answer = client.get("/account/factors/passkeys/add/")
    assert answer["Location"].startswith("/account/again/factor/")
    assert client.get("/account/again/")["Location"].startswith("/account/again/factor/")


def test_last_factor_stays_where_one_is_due(eve: User, sol: User) -> None:
    Membership.objects.filter(user=sol).update(is_owner=False)
    for person, stays in ((eve, True), (sol, False)):
        set_up_app(person)
        client = Client()
        client.force_login(person)
        client.post("/account/again/factor/", {"code": app_code()})
        answer = client.post("/account/factors/app/remove/")
        kept = Authenticator.objects.filter(user=person, type="totp").exists()
        assert kept is stays, person
        assert answer.status_code == (200 if stays else 302)


def test_last_passkey_stays_where_one_is_due(eve: User) -> None:
    key = Authenticator.objects.create(user=eve, type="webauthn", data={"name": "Phone"})
    client = Client()
    client.force_login(eve)
    session = client.session
    session["stepup_by"] = "code"
    session.save()
    answer = client.post(f"/account/factors/passkeys/{key.pk}/remove/")
    assert "this is your last one" in answer.content.decode()
    assert Authenticator.objects.filter(pk=key.pk).exists()


def test_password_change_ends_the_other_sessions_and_is_announced(eve: User) -> None:
    here, there = Client(), Client()
    enter(here, "eve")
    enter(there, "eve")
    form = {
        "oldpassword": PASSWORD,
        "password1": "a long new password",
        "password2": "a long new password",
    }
    here.post("/account/password/", form)
    assert (is_in(here), is_in(there)) == (True, False)
    assert "accounts.password_changed" in verbs(eve)
    assert Mail.objects.filter(to_user=eve, subject="Your password was changed").exists()


def test_grace_begins_at_the_first_sign_in(eve: User) -> None:
    enter(Client(), "eve")
    eve.refresh_from_db()
    assert eve.factor_due_since is not None
    first = eve.factor_due_since
    enter(Client(), "eve")
    eve.refresh_from_db()
    assert eve.factor_due_since == first <= timezone.now()
