"""The address of the mail server, as the environment gives it."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from backoffice.project import env

NAME = "BACKOFFICE_TEST_MAIL_SERVER"


def mailer(monkeypatch: pytest.MonkeyPatch, address: str) -> dict[str, object]:
    monkeypatch.setenv(NAME, address)
    found = env.mailer(NAME, "", timeout=7)
    options: dict[str, object] = found.get("OPTIONS", {})
    return options


def test_address_of_a_mail_server_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mailer(monkeypatch, "smtp://ann:p%40ss@mail.example:2525?tls=true") == {
        "host": "mail.example",
        "port": 2525,
        "username": "ann",
        "password": "p@ss",
        "use_ssl": False,
        "use_tls": True,
        "timeout": 7,
    }
    assert mailer(monkeypatch, "smtps://mail.example")["use_ssl"] is True


def test_without_an_address_mails_go_to_the_terminal() -> None:
    found = env.mailer(NAME, "", timeout=7)
    assert found == {"BACKEND": "django.core.mail.backends.console.EmailBackend"}


@pytest.mark.parametrize("address", ["mail.example", "http://mail.example", "smtp://"])
def test_wrong_address_is_an_error_at_start(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        mailer(monkeypatch, address)


def test_proxies_are_networks_or_an_error_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "10.0.0.0/8, 192.0.2.1, unix")
    assert env.networks(NAME, also={"unix"}) == ["10.0.0.0/8", "192.0.2.1", "unix"]
    for wrong in ("10.0.0.1/8", "nginx", "unix"):
        monkeypatch.setenv(NAME, wrong)
        with pytest.raises(ImproperlyConfigured, match=wrong):
            env.networks(NAME)
