"""Codes of an authenticator app and recovery codes: each is good once, in every process.

allauth remembers used codes in the cache, which each process has by itself; here the database does.
"""

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator

from backoffice.accounts import limits
from backoffice.accounts.models import User

_LONGEST = 40


def use(user: User, code: str) -> Authenticator | None:
    """Use up a code of the person; return what it belongs to, None when it is wrong or used."""
    code = "".join(code.split())
    if not code or len(code) > _LONGEST:
        return None
    for row in Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN):
        if row.wrap().validate_code(code) and _first_use(row, code):
            row.record_usage()
            return row
    return None


def _first_use(row: Authenticator, code: str) -> bool:
    """Say whether nobody used the code before; recovery codes are crossed out in their own row."""
    if row.type != Authenticator.Type.TOTP:
        return True
    # The code of any step that would be accepted now; a code comes up again by chance only.
    kept = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 2)
    return limits.once("totp", f"{row.user_id}:{code}", seconds=kept)
