"""Encryption at rest: what is sealed opens with its key, for its use, unchanged; nothing else."""

import base64

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from backoffice import keyring

OLD, NEW = ("2025", "o" * 32), ("2026", "n" * 32)


@examples(max_examples=40)
@given(st.text(), st.text())
def test_what_is_sealed_opens_again(text: str, use: str) -> None:
    assert keyring.open_sealed(keyring.seal(text, use=use), use=use) == text


def test_sealing_twice_tells_nothing() -> None:
    first, second = (keyring.seal("JBSWY3DPEHPK3PXP", use="a") for _ in range(2))
    assert first != second
    assert "JBSWY3DP" not in first


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-6] + ("AAAA==" if value[-6:] != "AAAA==" else "BBBB=="),
        lambda value: value.replace("v1.", "v2.", 1),
        lambda value: value.replace("v1.", "v1.x", 1),
        lambda value: value[: len(value) // 2],
        lambda _: "v1.2026." + base64.urlsafe_b64encode(b"short").decode(),
        lambda _: "v1.2026.\N{SNOWMAN}",
        lambda _: "",
        lambda _: "plain",
    ],
)
def test_changed_value_does_not_open(spoil: object, settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = [NEW]
    value = spoil(keyring.seal("secret", use="a"))  # type: ignore[operator]
    with pytest.raises(keyring.UnreadableError):
        keyring.open_sealed(value, use="a")


def test_value_moved_elsewhere_does_not_open() -> None:
    value = keyring.seal("secret", use="mail.1")
    with pytest.raises(keyring.UnreadableError):
        keyring.open_sealed(value, use="mail.2")


def test_newest_key_seals_and_older_ones_open(settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = [OLD]
    old = keyring.seal("secret", use="a")
    settings.BACKOFFICE_KEYS = [NEW, OLD]
    assert keyring.open_sealed(old, use="a") == "secret"
    assert not keyring.is_current(old)
    new = keyring.seal("secret", use="a")
    assert keyring.is_current(new)
    assert (keyring.id_of(old), keyring.id_of(new), keyring.newest_id()) == ("2025", "2026", "2026")
    settings.BACKOFFICE_KEYS = [NEW]
    with pytest.raises(keyring.UnreadableError):
        keyring.open_sealed(old, use="a")


def test_same_id_with_another_secret_opens_nothing(settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = [NEW]
    value = keyring.seal("secret", use="a")
    settings.BACKOFFICE_KEYS = [("2026", "x" * 32)]
    with pytest.raises(keyring.UnreadableError):
        keyring.open_sealed(value, use="a")


def test_ring_without_a_key_is_an_error(settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = []
    with pytest.raises(ImproperlyConfigured):
        keyring.seal("secret", use="a")
