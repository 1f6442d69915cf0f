"""What happens to passwords and factors goes on the record, and its person hears of it by mail."""

from typing import Any

from allauth.account import signals as account
from allauth.core import context
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import post, stepup
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record

FACTOR_ADDED = verbs.register("accounts.factor_added", gettext_lazy("Second factor added"))
FACTOR_REMOVED = verbs.register("accounts.factor_removed", gettext_lazy("Second factor removed"))
FACTOR_FAILED = verbs.register("accounts.factor_failed", gettext_lazy("Wrong second factor"))
CODE_USED = verbs.register("accounts.recovery_code_used", gettext_lazy("Recovery code used"))
PASSWORD_CHANGED = verbs.register("accounts.password_changed", gettext_lazy("Password changed"))
RESET_DONE = verbs.register("accounts.reset_done", gettext_lazy("Password reset by link"))

CHANGED = post.register(
    "accounts.sign_in_changed",
    label=gettext_lazy("Way to sign in changed"),
    subject=gettext_lazy("%(what)s"),
    fields=("what",),
)
_ADDED = {
    Authenticator.Type.TOTP: gettext_lazy("An authenticator app was added to your account"),
    Authenticator.Type.WEBAUTHN: gettext_lazy("A passkey was added to your account"),
    Authenticator.Type.RECOVERY_CODES: gettext_lazy("Recovery codes were made for your account"),
}
_REMOVED = {
    Authenticator.Type.TOTP: gettext_lazy("The authenticator app was removed from your account"),
    Authenticator.Type.WEBAUTHN: gettext_lazy("A passkey was removed from your account"),
}


def follow() -> None:
    """Listen to allauth (called in `AppConfig.ready`).

    Made and deleted factors are heard of by their rows: in the transaction, whoever did it.
    """
    name = "backoffice.trail"
    post_save.connect(factor_saved, sender=Authenticator, dispatch_uid=name)
    post_delete.connect(factor_deleted, sender=Authenticator, dispatch_uid=name)
    mfa.authenticator_used.connect(factor_used, dispatch_uid=name)
    mfa.authentication_failed.connect(factor_failed, dispatch_uid=name)
    account.password_changed.connect(password_changed, dispatch_uid=name)
    account.password_reset.connect(password_reset, dispatch_uid=name)
    account.authentication_step_completed.connect(proved_again, dispatch_uid=name)


def _actor(fallback: User) -> User:
    """Return who is at it: the signed-in person, in a reset or while signing in the owner."""
    request = context.request
    user = getattr(request, "user", None)
    return user if isinstance(user, User) else fallback


def factor_saved(sender: object, instance: Authenticator, created: bool, **kwargs: Any) -> None:  # noqa: FBT001 - Django's signal
    """Record a new factor, in the transaction that made it."""
    if created:
        _tell(FACTOR_ADDED, instance, _ADDED)


def factor_deleted(sender: object, instance: Authenticator, **kwargs: Any) -> None:
    """Record that a factor is gone, whoever took it away."""
    _tell(FACTOR_REMOVED, instance, _REMOVED)


def _tell(verb: str, factor: Authenticator, texts: dict[Any, Any]) -> None:
    person = factor.user
    record(verb, actor=_actor(person), subject=person, context={"kind": factor.type})
    if text := texts.get(factor.type):
        _mail(person, str(text))


def _mail(person: User, what: str) -> None:
    post.send(CHANGED, to=person, actor=None, reason=what, context={"what": what})


def factor_used(
    sender: object, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """Record a used recovery code, and tell how many are left."""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        return
    authenticator.refresh_from_db()
    left = len(authenticator.wrap().get_unused_codes())
    record(CODE_USED, actor=user, subject=user, context={"left": left})
    _mail(user, _("A recovery code was used; %(left)d are left") % {"left": left})


def factor_failed(sender: object, user: User, **kwargs: Any) -> None:
    """Record a wrong code or passkey after a right password."""
    record(FACTOR_FAILED, actor=None, subject=user, outcome=Outcome.REFUSED)


def password_changed(sender: object, user: User, **kwargs: Any) -> None:
    """Record a change by the person."""
    record(PASSWORD_CHANGED, actor=user, subject=user)
    _mail(user, _("Your password was changed"))


def password_reset(sender: object, user: User, **kwargs: Any) -> None:
    """Record a change by a mailed link."""
    record(RESET_DONE, actor=user, subject=user)
    _mail(user, _("Your password was changed by a mailed link"))


def proved_again(
    sender: object, request: HttpRequest, method: str, user: User, **kwargs: Any
) -> None:
    """Take a proof on allauth's own pages for a fresh one."""
    if not kwargs.get("reauthenticated"):
        return
    kind = kwargs.get("type", "")
    way = stepup.PASSKEY if kind == Authenticator.Type.WEBAUTHN else stepup.CODE
    by = way if method == "mfa" else stepup.PASSWORD
    stepup.mark(request, by)
    record(stepup.PROVED, actor=user, subject=user, context={"by": by})
