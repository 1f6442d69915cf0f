"""The first run in production: an empty database asks whose it is, once.

Whoever sets up proves that the machine is theirs by a code that `manage.py setup_code` prints; its
digest lies in a file that only the server's own user can read. The row of the installation can
exist once, so of two who set up at the same time one wins.
"""

import hashlib
import json
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import limits
from backoffice.accounts.models import Installation, User
from backoffice.audit import verbs
from backoffice.audit.services import record

SET_UP = verbs.register("accounts.set_up", _("Installation set up"))
CODE_SECONDS = 24 * 60 * 60
WRONG = limits.Limit(hits=10, seconds=15 * 60)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS, _GROUP_LENGTH = 5, 5
# The grace for a second factor is over before it begins: the first owner has none.
_LONG_AGO = timedelta(days=3650)


class AlreadySetUpError(Exception):
    """Somebody was faster, or it was done long ago."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the set-up decides, and who owns it."""

    company: str
    currency: str
    time_zone: str
    language: str
    username: str
    name: str
    email: str
    password: str


def is_open() -> bool:
    """Say whether the set-up waits: where it is wanted, and nobody is in the database."""
    if not settings.BACKOFFICE_SETUP or Installation.objects.exists():
        return False
    return not User.objects.exists()


def code_file() -> Path:
    """Return where the digest of the code lies."""
    return Path(settings.VAR_DIR) / "setup-code"


def make_code() -> str:
    """Return a new code; the one before is good no longer. Raises AlreadySetUpError."""
    if not is_open():
        raise AlreadySetUpError
    letters = [secrets.choice(_LETTERS) for _place in range(_GROUPS * _GROUP_LENGTH)]
    text = "".join(letters)
    content = json.dumps({"digest": _digest(text), "at": int(time.time())})
    fresh = code_file().with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(content)
    fresh.replace(code_file())
    return "-".join(text[at : at + _GROUP_LENGTH] for at in range(0, len(text), _GROUP_LENGTH))


def is_right(code: str) -> bool:
    """Say whether this is the code that was printed last, within a day."""
    try:
        kept = json.loads(code_file().read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    age = time.time() - kept["at"]
    typed = "".join(letter for letter in code.upper() if letter.isalnum())
    return 0 <= age <= CODE_SECONDS and constant_time_compare(_digest(typed), kept["digest"])


def _digest(code: str) -> str:
    return hashlib.sha256(f"backoffice.setup:{code}".encode()).hexdigest()


def set_up(plan: Plan, *, code: str, address: str) -> User:
    """Make installation and owner, in one transaction; return the owner.

    `address` is where the request comes from: wrong codes are counted by it. Raises
    AlreadySetUpError, and ValidationError for a wrong code or values that are not valid.
    """
    if not is_open():
        raise AlreadySetUpError
    verdict = limits.hit("setup", address, WRONG)
    if not verdict.allowed:
        raise ValidationError({"code": _("Too many wrong tries. Wait some minutes.")})
    if not is_right(code):
        raise ValidationError({"code": _("This is not the code that was printed last.")})
    try:
        with transaction.atomic():
            owner = _write(plan)
    except IntegrityError:
        raise AlreadySetUpError from None
    with suppress(OSError):
        code_file().unlink()
    return owner


def _write(plan: Plan) -> User:
    first, _space, last = plan.name.strip().partition(" ")
    owner = User(
        username=plan.username, email=plan.email, first_name=first, last_name=last,
        is_staff=True, factor_due_since=timezone.now() - _LONG_AGO,
    )  # fmt: skip
    owner.set_password(plan.password)
    owner.full_clean()
    owner.save()
    owner.groups.add(Group.objects.get(name="owner"))
    row = Installation.objects.create(
        company=plan.company,
        currency=plan.currency,
        time_zone=plan.time_zone,
        language=plan.language,
        owner=owner,
    )
    if User.objects.exclude(pk=owner.pk).exists():
        raise AlreadySetUpError
    record(SET_UP, actor=owner, subject=row, context={"currency": plan.currency})
    return owner
