"""A sign-in from an unknown device, by somebody without a second factor, asks for a mailed code.

Whoever has a second factor is asked for that instead. The code is good for ten minutes, for this
one sign-in, and for five tries; of it the session holds a digest.
"""

import secrets
import time
from datetime import timedelta
from typing import Any

from allauth.account.stages import LoginStage
from allauth.core.internal.httpkit import headed_redirect_response
from allauth.mfa.stages import AuthenticateStage
from django.conf import settings
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import devices, factors, post
from backoffice.accounts.models import User

GOOD_SECONDS = 10 * 60
MOST_TRIES, MOST_MAILS = 5, 3
_DIGITS = 8
MAIL = post.register(
    "accounts.sign_in_code",
    label=_("Code for signing in"),
    subject=_("Your code for signing in"),
)


class DeviceStage(LoginStage):
    """The step between password and session; allauth keeps its state in the session, sealed."""

    key = "device"
    urlname = "account_confirm_login_code"

    def handle(self) -> tuple[Any, bool]:
        """Ask for the code where it is due, else go on."""
        if not is_due(self.request, self.login.user):
            return None, True
        if "digest" not in self.state:
            self.send()
        return headed_redirect_response(self.urlname), True

    def send(self) -> bool:
        """Mail a new code; False when enough were mailed."""
        if self.state.get("mails", 0) >= MOST_MAILS:
            return False
        code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"
        until = timezone.now() + timedelta(seconds=GOOD_SECONDS)
        post.send(
            MAIL,
            to=self.login.user,
            reason=_("You are signing in with a device that is new to us."),
            secret=code,
            good_until=until,
        )
        self.state.update(
            digest=_digest(code),
            until=time.time() + GOOD_SECONDS,
            tries=0,
            mails=self.state.get("mails", 0) + 1,
        )
        return True

    def is_right(self, code: str) -> bool:
        """Say whether it is the code last mailed, and still good; each call is one try."""
        self.state["tries"] = self.state.get("tries", 0) + 1
        good = time.time() <= self.state.get("until", 0) and self.state["tries"] <= MOST_TRIES
        digest = _digest("".join(code.split()))
        return good and constant_time_compare(digest, self.state.get("digest", ""))

    @property
    def is_spent(self) -> bool:
        """Whether no try is left."""
        return bool(self.state.get("tries", 0) >= MOST_TRIES)


class FactorStage(AuthenticateStage):
    """The second factor, unless a trusted provider asked for one in this very sign-in."""

    def _should_handle(self, request: Any) -> bool:
        user = self.login.user
        if isinstance(user, User) and factors.by_provider(request, user):
            return False
        return bool(super()._should_handle(request))


def is_due(request: Any, user: Any) -> bool:
    """Say whether a sign-in of this person with this browser has to show a mailed code."""
    if not settings.BACKOFFICE_DEVICE_CHALLENGE or not isinstance(user, User):
        return False
    if factors.by_provider(request, user) or factors.has_factor(user):
        return False
    return devices.find(request, user) is None


def _digest(code: str) -> str:
    return salted_hmac("backoffice.accounts.device_stage", code, algorithm="sha256").hexdigest()
