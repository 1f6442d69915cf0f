"""What a person's phone and browser do: codes of an app, a sign-in by the form."""

import time
from typing import Any

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core.cache import cache
from django.test import Client

from backoffice import keyring
from backoffice.accounts.models import User
from backoffice.mail.models import Mail
from tests.people import PASSWORD

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def set_up_app(user: User) -> None:
    """Give the person an authenticator app with SECRET, and recovery codes."""
    other_process()  # the person of an earlier test may have had the same key and number
    TOTP.activate(user, SECRET)
    RecoveryCodes.activate(user)


def other_process() -> None:
    """Forget what allauth keeps in the memory of one process: as in another one."""
    cache.clear()


def app_code(steps: int = 0) -> str:
    """Return what the app shows now, or so many half minutes later."""
    return code_of(SECRET, steps)


def code_of(key: str, steps: int = 0) -> str:
    """Return what an app with this key shows, so many half minutes from now."""
    return str(format_hotp_value(hotp_value(key, int(time.time()) // 30 + steps)))


def recovery_codes(user: User) -> list[str]:
    """Return the person's unused recovery codes."""
    row = user.authenticator_set.get(type="recovery_codes")  # type: ignore[attr-defined]
    codes: list[str] = row.wrap().get_unused_codes()
    return codes


def enter(client: Client, name: str, password: str = PASSWORD, to: str = "/admin/") -> Any:
    """Send the form of the sign-in page."""
    return client.post("/account/login/", {"login": name, "password": password, "next": to})


def is_in(client: Client, address: str = "/admin/") -> bool:
    """Say whether the start page opens."""
    return client.get(address).status_code == 200


def secret_of(mail: Mail) -> str:
    """Return code or path that the mail will carry."""
    return keyring.open_sealed(mail.sealed, use=mail.use_of_secret)
