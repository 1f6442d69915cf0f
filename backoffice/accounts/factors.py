"""The second factor: of whom it is due, who has one, and who is held until they have."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from backoffice.accounts.models import Kind, User

Test = Callable[[User], bool]
KINDS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
# Of whom (a key) a trusted provider has asked for a second factor itself, in the session.
BY_PROVIDER = "factor_by_provider"
MISSING = "factor_missing"
_tests: list[Test] = []


def require(test: Test) -> None:
    """Let a second factor be due of whom `test(user)` says yes to (called in `AppConfig.ready`)."""
    _tests.append(test)


def is_due(user: Any) -> bool:
    """Say whether this person has to have a second factor: by role, or by what an app requires."""
    if not isinstance(user, User) or not user.is_active or user.kind != Kind.PERSON:
        return False
    roles = settings.BACKOFFICE_SECOND_FACTOR_ROLES
    if user.is_superuser or (user.is_staff and "staff" in roles):
        return True
    if user.groups.filter(name__in=roles).exists():
        return True
    return any(test(user) for test in _tests)


def of(user: Any) -> QuerySet[Authenticator]:
    """Return the person's authenticator app and passkeys; recovery codes are neither."""
    return Authenticator.objects.filter(user_id=user.pk, type__in=KINDS)  # type: ignore[no-any-return]


def has_factor(user: Any) -> bool:
    """Say whether the person has an authenticator app or a passkey."""
    return of(user).exists()


def grace_ends(user: User) -> datetime | None:
    """Return when the person must have a second factor; None where the setting says never.

    The time counts from the first sign-in at which it was due (see `start_grace`).
    """
    days = settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS
    if days is None:
        return None
    return (user.factor_due_since or timezone.now()) + timedelta(days=days)


def start_grace(user: User) -> None:
    """Note when a second factor was first due; the time stays, however often one signs in."""
    if user.factor_due_since is None and is_due(user):
        now = timezone.now()
        mine = User.objects.filter(pk=user.pk, factor_due_since=None).update(factor_due_since=now)
        if mine:
            user.factor_due_since = now


def note(request: HttpRequest, user: User) -> None:
    """Note at a sign-in whether a factor is due and missing: the pages remind of it."""
    start_grace(user)
    missing = is_due(user) and not by_provider(request, user) and not has_factor(user)
    request.session[MISSING] = missing


def note_added(request: HttpRequest) -> None:
    """Note that the person of the session has one now."""
    request.session.pop(MISSING, None)


def is_missing(request: HttpRequest) -> bool:
    """Say what the sign-in noted; costs no query."""
    return bool(request.session.get(MISSING))


def is_held(request: HttpRequest) -> bool:
    """Say whether the person reaches nothing but enrolment: due, past the grace, without one.

    Of somebody who acts for another person, their own factor counts.
    """
    acting = getattr(request, "acting", None)
    user = acting.actor if acting is not None else request.user
    if not isinstance(user, User) or settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS is None:
        return False
    if by_provider(request, user) or not is_due(user) or has_factor(user):
        return False
    start_grace(user)
    ends = grace_ends(user)
    return ends is not None and ends <= timezone.now()


def by_provider(request: HttpRequest, user: User) -> bool:
    """Say whether a trusted provider asked this person for a second factor in this session."""
    return bool(request.session.get(BY_PROVIDER) == user.pk)
