"""Sessions: what a sign-in begins, how long it lasts, who ends it; all of it on the record.

Of each session there is allauth's UserSession beside Django's row, so that people see their own.
`User.stamp` is part of what a session is bound to: a new stamp ends every session of the person at
its next request, in every process.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, REDIRECT_FIELD_NAME
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import acting, agents, doors, stepup
from backoffice.accounts.models import Acting, User
from backoffice.audit import context, verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record

ENDED = verbs.register("session.ended", _("Sessions ended"))
SITE, BEGAN, SEEN, ROLES = "site", "began_at", "seen_at", "roles"
DOOR = "door"
ELSEWHERE, KNOWN = "elsewhere", "elsewhere_known"
# Last-seen is written once in so many seconds; an idle limit may come early by as much.
TOUCH_SECONDS = 60
# Another session used within so many seconds counts as used at the same time.
TOGETHER_SECONDS = 15 * 60
_SECONDS_A_MINUTE, _SECONDS_AN_HOUR = 60, 60 * 60
_AGENT_LENGTH = 200
_NOWHERE = "::"  # the column wants an address where there is none (a socket file)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a session lasts: `idle` seconds without use, `whole` seconds in all."""

    idle: int
    whole: int


def bounds(roles: list[str]) -> Bounds:
    """Return the limits of somebody in these roles: of each kind the strictest.

    BACKOFFICE_SESSION_LIMITS: role -> (minutes of idleness, hours in all); "" is for everybody.
    """
    table = settings.BACKOFFICE_SESSION_LIMITS
    rows = [table[role] for role in ("", *roles) if role in table]
    return Bounds(
        min(minutes for minutes, _hours in rows) * _SECONDS_A_MINUTE,
        min(hours for _minutes, hours in rows) * _SECONDS_AN_HOUR,
    )


def why_over(request: HttpRequest) -> str:
    """Return "idle" or "absolute" where the session has lasted long enough, else ""."""
    session, now = request.session, time.time()
    limit = bounds(session.get(ROLES, []))
    if now - session.get(BEGAN, 0) > limit.whole:
        return "absolute"
    return "idle" if now - session.get(SEEN, 0) > limit.idle else ""


def signed_in(sender: object, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    """Begin the session: its site, its times, its row, fresh proof; record the sign-in."""
    if request is not None and hasattr(request, "session"):
        _begin(request, user)
    record(verbs.SIGNED_IN, actor=user, subject=user)


def note_door(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """Remember, at the first step of a sign-in, where it began: people of two sites choose so."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    if site := doors.site_at(wanted):
        request.session[DOOR] = site


def _begin(request: HttpRequest, user: User) -> None:
    session, now = request.session, time.time()
    stepup.mark_sign_in(request, user)
    wanted = session.pop(DOOR, "")
    session[SITE] = wanted if doors.may_enter(user, wanted) else doors.site_of(user)
    session[BEGAN] = session[SEEN] = now
    session[ROLES] = list(user.groups.values_list("name", flat=True))
    if not session.session_key:
        session.save()
    _forget_the_dead(user)
    touch(request, user)


def _forget_the_dead(user: User) -> None:
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    UserSession.objects.filter(user=user).exclude(session_key__in=alive).delete()


def touch(request: HttpRequest, user: User) -> None:
    """Note that the session is used now, from where, and which others are in use."""
    session = request.session
    session[SEEN] = time.time()
    facts = {
        "user": user,
        "ip": context.current().address or request.META.get("REMOTE_ADDR") or _NOWHERE,
        "user_agent": request.headers.get("User-Agent", "")[:_AGENT_LENGTH],
        "last_seen_at": timezone.now(),
        "data": {"site": session.get(SITE, ""), "began": session.get(BEGAN)},
    }
    UserSession.objects.update_or_create(session_key=session.session_key, defaults=facts)
    session[ELSEWHERE] = [
        [row.pk, agents.label(row.user_agent), row.ip] for row in _elsewhere(user, session)
    ]


def _elsewhere(user: User, session: Any) -> list[UserSession]:
    since = timezone.now() - timedelta(seconds=TOGETHER_SECONDS)
    others = [row for row in of(user) if row.session_key != session.session_key]
    return [row for row in others if row.last_seen_at > since]


def unseen_elsewhere(request: HttpRequest) -> list[str]:
    """Return device and address of others in use that the person has not looked at yet."""
    known = request.session.get(KNOWN, [])
    rows = request.session.get(ELSEWHERE, [])
    return [f"{label}, {address}" for key, label, address in rows if key not in known]


def note_seen(request: HttpRequest, rows: list[UserSession]) -> None:
    """Note that the person has looked at these sessions."""
    request.session[KNOWN] = [row.pk for row in rows]


def is_for(request: HttpRequest, site: str) -> bool:
    """Say whether the session was made for this site."""
    return bool(request.session.get(SITE) == site)


def of(user: User) -> list[UserSession]:
    """Return the live sessions of the person, the last used first."""
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    rows = UserSession.objects.filter(user=user, session_key__in=alive)
    return list(rows.order_by("-last_seen_at", "-pk"))


def end(rows: Iterable[UserSession], *, actor: User, reason: str = "") -> int:
    """End these sessions: each is dead at its next request. Returns how many."""
    count = 0
    with transaction.atomic():
        for person, mine in _by_person(rows).items():
            count += len(mine)
            keys = [row.session_key for row in mine]
            Session.objects.filter(session_key__in=keys).delete()
            UserSession.objects.filter(session_key__in=keys).delete()
            facts = {"sessions": len(keys)}
            record(ENDED, actor=actor, subject=person, reason=reason, context=facts)
    return count


def _by_person(rows: Iterable[UserSession]) -> dict[User, list[UserSession]]:
    found: dict[User, list[UserSession]] = {}
    for row in rows:
        found.setdefault(row.user, []).append(row)
    return found


def end_all(
    user: User, *, actor: User | None, reason: str = "", keep: HttpRequest | None = None
) -> None:
    """End every session of the person, those without a row too; `keep`: but the one of it.

    Call it in the transaction of what it follows from.
    """
    kept = keep.session.session_key if keep is not None else None
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(stamp=F("stamp") + 1)
        user.refresh_from_db(fields=["stamp"])
        rows = UserSession.objects.filter(user=user).exclude(session_key=kept)
        Session.objects.filter(session_key__in=rows.values("session_key")).delete()
        count = rows.delete()[0]
        facts = {"sessions": count}
        record(ENDED, actor=actor, subject=user, reason=reason, context=facts)
    if keep is not None:
        keep.session[HASH_SESSION_KEY] = user.get_session_auth_hash()


def ran_out(request: HttpRequest, user: User, why: str) -> None:
    """End the session of the request because it lasted long enough."""
    with transaction.atomic():
        UserSession.objects.filter(session_key=request.session.session_key).delete()
        record(ENDED, actor=user, subject=user, context={"limit": why, "sessions": 1})
    request.session.flush()


def signed_out(sender: object, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """Record a sign-out; its row goes with the session."""
    if user is not None:
        UserSession.objects.filter(session_key=request.session.session_key).delete()
        for row in Acting.objects.filter(actor=user, ended_at=None):
            acting.end(row)
        record(verbs.SIGNED_OUT, actor=user, subject=user)


def factor_removed(sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """End the other sessions of somebody who took away a second factor."""
    end_all(user, actor=user, keep=request)


def password_changed(sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """End the other sessions of somebody with a new password; after a reset, all of them."""
    own = request.user.is_authenticated and request.user.pk == user.pk
    end_all(user, actor=user, keep=request if own else None)


def roles_changed(
    sender: object, instance: Any, action: str, pk_set: set[int] | None, **kwargs: Any
) -> None:
    """End the sessions of whoever loses a role, by whatever way."""
    if action not in {"post_remove", "pre_clear"}:
        return
    if isinstance(instance, User):
        losers = User.objects.filter(pk=instance.pk)
    else:
        losers = User.objects.filter(pk__in=pk_set) if pk_set else instance.user_set.all()
    losers.update(stamp=F("stamp") + 1)


def sign_in_failed(sender: object, credentials: dict[str, Any], **kwargs: Any) -> None:
    """Record a failure against the account that was tried, if there is one.

    What was typed is not kept: people type passwords into the name field.
    """
    user = User.objects.filter(username=str(credentials.get("username", ""))[:150]).first()
    record(verbs.SIGN_IN_FAILED, actor=None, subject=user, outcome=Outcome.REFUSED)
