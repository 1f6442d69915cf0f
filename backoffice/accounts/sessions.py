"""Sign-ins, sign-outs and failures go on the record."""

from typing import Any

from django.http import HttpRequest

from backoffice.accounts import stepup
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record


def signed_in(sender: object, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    """Record a sign-in; the password was just given, so the step-up clock starts too."""
    if request is not None and hasattr(request, "session"):
        stepup.mark(request)
    record(verbs.SIGNED_IN, actor=user, subject=user)


def signed_out(sender: object, user: User | None, **kwargs: Any) -> None:
    """Record a sign-out."""
    if user is not None:
        record(verbs.SIGNED_OUT, actor=user, subject=user)


def sign_in_failed(sender: object, credentials: dict[str, Any], **kwargs: Any) -> None:
    """Record a failure against the account that was tried, if there is one.

    What was typed is not kept: people type passwords into the name field.
    """
    user = User.objects.filter(username=str(credentials.get("username", ""))[:150]).first()
    record(verbs.SIGN_IN_FAILED, actor=None, subject=user, outcome=Outcome.REFUSED)
