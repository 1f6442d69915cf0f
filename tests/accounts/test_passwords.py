import hashlib
from pathlib import Path

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from pytest_django import Settings

from backoffice.accounts import passwords
from backoffice.accounts.models import User

WORDS = [f"some quiet phrase {number}" for number in range(500)]


def digest(word: str) -> str:
    return hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.mark.parametrize(
    "leaked",
    [
        "passwordpassword",
        "Password2026!",
        "qwertyuiop12",
        "!!dragon!!1984",
        "1q2w3e4r5t6y",
    ],
)
def test_common_passwords_are_refused_however_dressed(leaked: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_password(leaked)
    assert "breached" in {error.code for error in refused.value.error_list}


@pytest.mark.parametrize("good", ["correct horse battery", "seven green bottles", "Kp3!vTz9#mQw2"])
def test_long_ones_of_nobody_else_are_taken(good: str) -> None:
    validate_password(good)


def test_short_or_personal_or_plain_numbers_are_refused() -> None:
    user = User(username="margaret.oakley", email="margaret@example.com")
    for wrong in ("elevenchars", "margaret.oakley1", "907351842664"):
        with pytest.raises(ValidationError):
            validate_password(wrong, user)


def test_downloaded_file_is_searched(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "pwned.txt"
    lines = sorted(f"{digest(word)}:{number}" for number, word in enumerate(WORDS[:400]))
    path.write_text("\r\n".join(lines) + "\r\n", encoding="ascii")
    settings.BACKOFFICE_BREACHED_PASSWORDS = str(path)
    assert [passwords.is_breached(word) for word in WORDS] == [True] * 400 + [False] * 100
    with pytest.raises(ValidationError):
        validate_password(WORDS[0])
    validate_password(WORDS[-1])


def test_downloaded_folder_is_searched(tmp_path: Path, settings: Settings) -> None:
    for word in WORDS[:5]:
        found = digest(word)
        (tmp_path / f"{found[:5]}.txt").write_text(f"{'0' * 35}:9\n{found[5:]}:3\n", "ascii")
    settings.BACKOFFICE_BREACHED_PASSWORDS = str(tmp_path)
    assert [passwords.is_breached(word) for word in WORDS[:8]] == [True] * 5 + [False] * 3


@pytest.mark.parametrize("content", ["", "A\n"])
def test_empty_file_holds_nothing(content: str, tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "list.txt").write_text(content, "ascii")
    settings.BACKOFFICE_BREACHED_PASSWORDS = str(tmp_path / "list.txt")
    assert not passwords.is_breached("anything")
