"""Values as the environment gives them: the mail server, the key ring."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

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


KEYS = "BACKOFFICE_TEST_KEYS"
LONG = "s" * 32


def test_keys_come_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS, f"2026b:{LONG}:with:colons, 2026a:{LONG}")
    assert env.keys(KEYS) == [("2026b", f"{LONG}:with:colons"), ("2026a", LONG)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        LONG,
        f":{LONG}",
        f"a.b:{LONG}",
        f"a:{LONG},a:{LONG}",
        "a:short",
        f"a:{LONG},",
    ],
)
def test_wrong_keys_are_an_error_that_tells_no_secret(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(KEYS, text)
    with pytest.raises(ImproperlyConfigured) as told:
        env.keys(KEYS)
    assert LONG not in str(told.value)
    assert "short" not in str(told.value)


def test_secret_comes_from_a_file_but_not_from_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"a:{LONG}\n", encoding="utf-8")
    monkeypatch.setenv(f"{KEYS}_FILE", str(file))
    assert env.keys(KEYS) == [("a", LONG)]
    monkeypatch.setenv(KEYS, f"b:{LONG}")
    with pytest.raises(ImproperlyConfigured, match="keep one"):
        env.keys(KEYS)


def test_periods_are_words_with_numbers_or_an_error_at_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PERIODS", "without_order:120, former_values:24")
    assert env.numbers("PERIODS") == {"without_order": 120, "former_values": 24}
    monkeypatch.setenv("PERIODS", "")
    assert env.numbers("PERIODS", "without_order:1") == {}
    for wrong in ("without_order", "without_order:", ":3", "without_order:-1", "a:1.5"):
        monkeypatch.setenv("PERIODS", wrong)
        with pytest.raises(ImproperlyConfigured, match="PERIODS"):
            env.numbers("PERIODS")


@pytest.mark.sqlite
@pytest.mark.django_db
def test_what_was_erased_from_sqlite_is_overwritten() -> None:
    """Else the bytes of a deleted value stay in the file's free pages, and in its copies."""
    asked = connection.settings_dict["OPTIONS"]["init_command"]  # some builds do it unasked
    assert "secure_delete=ON" in asked
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete")
        assert cursor.fetchone() == (1,)
