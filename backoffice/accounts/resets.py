"""A new password by a mailed link: good once, for an hour, and never around the second factor."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.urls import reverse
from django.utils import timezone
from django.utils.http import int_to_base36
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import post
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record

RESET_ASKED = verbs.register("accounts.reset_asked", _("Link for a new password asked for"))
MAIL = post.register(
    "accounts.reset", label=_("Link for a new password"), subject=_("Choose a new password")
)


class LinkGenerator(PasswordResetTokenGenerator):
    """Makes the key of the link out of what a reset or a sign-in changes, so it is good once.

    Nothing of it lies in the database.
    """

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        base: str = super()._make_hash_value(user, timestamp)
        return f"{base}{getattr(user, 'stamp', '')}{user.is_active}"


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
