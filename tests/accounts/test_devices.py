"""A sign-in from an unknown device: a mailed code, and a mail that tells of it."""

import pytest
from django.test import Client
from pytest_django import Settings

from backoffice.accounts.models import Device, User
from backoffice.audit.models import Event
from backoffice.mail import delivery
from backoffice.mail.models import Mail
from tests.accounts.factor_codes import app_code, enter, is_in, secret_of, set_up_app

CODE = "/account/login/code/"


@pytest.fixture
def challenge(settings: Settings) -> None:
    """As in production."""
    settings.BACKOFFICE_DEVICE_CHALLENGE = True


def code_for(user: User) -> str:
    return secret_of(
        Mail.objects.filter(to_user=user, template="accounts.sign_in_code").latest("id")
    )


@pytest.mark.usefixtures("challenge")
def test_unknown_device_is_asked_for_a_mailed_code_once(eve: User) -> None:
    client = Client()
    assert enter(client, "eve")["Location"] == CODE
    assert not is_in(client)
    assert client.post(CODE, {"code": code_for(eve)})["Location"] == "/admin/"
    assert is_in(client)
    client.post("/account/logout/")
    assert enter(client, "eve")["Location"] == "/admin/"
    assert enter(Client(), "eve")["Location"] == CODE


@pytest.mark.usefixtures("challenge")
def test_device_of_one_person_is_none_of_another(eve: User, oli: User) -> None:
    client = Client()
    enter(client, "eve")
    client.post(CODE, {"code": code_for(eve)})
    client.post("/account/logout/")
    assert enter(client, "oli")["Location"] == CODE


@pytest.mark.usefixtures("challenge")
def test_forged_cookie_makes_no_device(eve: User) -> None:
    client = Client()
    enter(client, "eve")
    client.post(CODE, {"code": code_for(eve)})
    cookie = client.cookies["backoffice_device"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 31536000)
    other = Client()
    other.cookies["backoffice_device"] = f"x{cookie.value[1:]}"
    assert enter(other, "eve")["Location"] == CODE


@pytest.mark.usefixtures("challenge")
def test_mailed_code_is_for_one_sign_in_and_few_tries(eve: User) -> None:
    first, second = Client(), Client()
    enter(first, "eve")
    of_first = code_for(eve)
    enter(second, "eve")
    second.post(CODE, {"code": of_first})
    assert not is_in(second)
    wrong = "1" if code_for(eve)[0] == "0" else "0"
    for _try in range(4):
        answer = second.post(CODE, {"code": f"{wrong}0000000"})
    assert answer["Location"] == "/account/login/"
    second.post(CODE, {"code": code_for(eve)})
    assert not is_in(second)
    assert Event.objects.about(eve).filter(verb="accounts.factor_failed").count() == 5


@pytest.mark.usefixtures("challenge")
def test_mailed_code_gets_old(eve: User) -> None:
    client = Client()
    enter(client, "eve")
    session = client.session
    session["account_login"]["state"]["stages"]["device"]["data"]["until"] -= 601
    session.save()
    client.post(CODE, {"code": code_for(eve)})
    assert not is_in(client)


@pytest.mark.usefixtures("challenge")
def test_second_factor_does_instead_of_the_mailed_code(eve: User) -> None:
    set_up_app(eve)
    client = Client()
    assert enter(client, "eve")["Location"] == "/account/login/factor/"
    client.post("/account/login/factor/", {"code": app_code()})
    assert is_in(client)
    assert not Mail.objects.filter(template="accounts.sign_in_code").exists()
    assert Mail.objects.filter(to_user=eve, template="accounts.new_device").count() == 1


def test_development_lets_in_with_the_password_and_still_tells(eve: User) -> None:
    client = Client(headers={"user-agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"})
    assert enter(client, "eve")["Location"] == "/admin/"
    enter(client, "eve")
    assert Device.objects.get(user=eve).label == "Firefox on Windows"
    told = Mail.objects.get(to_user=eve, template="accounts.new_device")
    assert "Firefox on Windows (127.0.0.1)" in delivery.text_of(told)
    assert Event.objects.about(eve).filter(verb="accounts.device_new").count() == 1


@pytest.mark.usefixtures("challenge")
def test_code_is_readable_in_the_mail_alone(eve: User) -> None:
    enter(Client(), "eve")
    row = Mail.objects.get(to_user=eve, template="accounts.sign_in_code")
    code = code_for(eve)
    stored = str(Mail.objects.filter(pk=row.pk).values().get())
    assert code not in stored
    assert code not in delivery.text_of(row)
    assert code in delivery.compose(row).body
    Mail.objects.filter(pk=row.pk).update(state="sending", attempts=1)
    row.refresh_from_db()
    assert delivery.deliver(row)
    row.refresh_from_db()
    assert (row.state, row.sealed, row.may_be_resent) == ("sent", "", False)
