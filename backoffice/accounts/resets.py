"""A new password by a mailed link: good once, for an hour, and never around the second factor."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import base36_to_int, int_to_base36
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import post
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record

RESET_ASKED = verbs.register("accounts.reset_asked", _("Link for a new password asked for"))
MAIL = post.register(
    "accounts.reset", label=_("Link for a new password"), subject=_("Choose a new password")
)

INVITATION_DAYS = 3
_SECONDS_A_DAY = 24 * 60 * 60


class LinkGenerator(PasswordResetTokenGenerator):
    """Makes the key of the link out of what a reset or a sign-in changes, so it is good once.

    Nothing of it lies in the database.
    """

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        base: str = super()._make_hash_value(user, timestamp)
        return f"{base}{getattr(user, 'stamp', '')}{user.is_active}"

    def check_token(self, user: User | None, token: str | None) -> bool:
        """Take the key of an invitation for some days, any other one for PASSWORD_RESET_TIMEOUT."""
        if user is None or not token or not is_invited(user):
            return bool(super().check_token(user, token))
        try:
            at = base36_to_int(token.partition("-")[0])
        except ValueError:
            return False
        secrets = [self.secret, *self.secret_fallbacks]
        made = (self._make_token_with_timestamp(user, at, secret) for secret in secrets)
        if not any(constant_time_compare(one, token) for one in made):
            return False
        return 0 <= self._num_seconds(self._now()) - at <= INVITATION_DAYS * _SECONDS_A_DAY


def is_invited(user: AbstractBaseUser) -> bool:
    """Say whether somebody has neither chosen a password nor come in any other way."""
    return user.last_login is None and not user.has_usable_password()


def send_link(user: User, *, actor: User | None, reason: Any) -> None:
    """Mail the person a link to choose a new password, on the record.

    `reason` says why they get it. Whoever starts it for somebody else never learns the link.
    """
    key = LinkGenerator().make_token(user)
    path = reverse(
        "account_reset_password_from_key", kwargs={"uidb36": int_to_base36(user.pk), "key": key}
    )
    record(RESET_ASKED, actor=actor, subject=user)
    post.send(
        MAIL,
        to=user,
        actor=actor,
        reason=reason,
        secret=path,
        good_until=timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT),
    )
