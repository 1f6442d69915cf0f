"""Passwords that leaked somewhere are refused, whoever chose them.

Two lists are asked. The one that Django ships holds the 20,000 commonest; a password that is one of
them with digits and signs around it, or several times in a row, is as easily guessed and refused
too. And, where BACKOFFICE_BREACHED_PASSWORDS names it, the full list of haveibeenpwned.com, once
downloaded: nothing is asked over the network. It is either one file of lines `SHA1:COUNT` sorted by
digest, searched by bisection, or a folder with a file for each first five characters of the digest
(`0A1B2.txt`, lines `REST:COUNT`).
"""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_PREFIX = 5
_DIGEST = 40
_AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_REPEATED = re.compile(r"^(.+?)\1+$")


class BreachedPasswordValidator:
    """Refuses what stands in a list of leaked passwords (AUTH_PASSWORD_VALIDATORS)."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for a leaked password."""
        if is_common(password) or is_breached(password):
            raise ValidationError(
                _("This password is in lists of leaked ones. Choose another."), code="breached"
            )

    def get_help_text(self) -> str:
        """Say the rule."""
        return _("Not one that leaked somewhere.")


def is_common(password: str) -> bool:
    """Say whether it is one of the commonest, as it stands or dressed up a little."""
    plain = password.lower().strip()
    core = _AROUND.sub("", plain)
    forms = {plain, core, _once(plain), _once(core)}
    return not forms.isdisjoint(_common())


def _once(text: str) -> str:
    found = _REPEATED.match(text)
    return found.group(1) if found else text


@cache
def _common() -> frozenset[str]:
    return frozenset(CommonPasswordValidator().passwords)


def is_breached(password: str) -> bool:
    """Say whether it stands in the downloaded list; False without one. Raises OSError."""
    if not settings.BACKOFFICE_BREACHED_PASSWORDS:
        return False
    path = Path(settings.BACKOFFICE_BREACHED_PASSWORDS)
    # The list's own format is SHA-1: nothing of ours is protected by it.
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    if path.is_dir():
        return _in_folder(path, digest)
    with path.open("rb") as lines:
        return _in_sorted(lines, digest)


def _in_folder(folder: Path, digest: bytes) -> bool:
    path = folder / f"{digest[:_PREFIX].decode()}.txt"
    if not path.exists():
        return False
    rest = digest[_PREFIX:]
    return any(line[: len(rest)].upper() == rest for line in path.read_bytes().splitlines())


def _in_sorted(lines: BinaryIO, digest: bytes) -> bool:
    """Halve the file until the line is found: some thirty reads in a file of 40 GB."""
    low, high = 0, lines.seek(0, 2)
    while low < high:
        middle = (low + high) // 2
        found, after = _line_from(lines, middle)
        if not found or found > digest:
            high = middle
        elif found == digest:
            return True
        else:
            low = after
    return False


def _line_from(lines: BinaryIO, position: int) -> tuple[bytes, int]:
    """Return the digest of the first line that begins at `position` or later, and where it ends."""
    if position:
        lines.seek(position - 1)
        lines.readline()
    else:
        lines.seek(0)
    digest = lines.readline()[:_DIGEST].upper()
    return digest, lines.tell()
