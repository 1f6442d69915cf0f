"""Fresh proof of who somebody is, asked before anything dangerous.

The proof is the password, entered within the last ten minutes.
"""

import time

from django.http import HttpRequest

from backoffice.accounts.models import User

FRESH_SECONDS = 10 * 60
_KEY = "stepup_at"


def mark(request: HttpRequest) -> None:
    """Note that the person behind the session proved themselves just now."""
    request.session[_KEY] = time.time()


def is_fresh(request: HttpRequest) -> bool:
    """Say whether the last proof is at most ten minutes old."""
    at = request.session.get(_KEY)
    return isinstance(at, int | float) and 0 <= time.time() - at <= FRESH_SECONDS


def confirm(request: HttpRequest, password: str) -> bool:
    """Check the signed-in person's password; when right, the proof is fresh again."""
    user = request.user
    if not isinstance(user, User) or not user.is_active or not user.check_password(password):
        return False
    mark(request)
    return True
