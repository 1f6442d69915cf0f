"""Tokens of the API: made, used, ended.

A token reads `bo_<prefix>_<secret>` and is shown once; the database keeps the prefix, by which
people and the record name it, and the SHA-256 of the whole (256 random bits need no slow hash).
It opens what its scopes name, within the rights of its account, until it expires or is ended.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import limits, scopes
from backoffice.accounts.models import Kind, Token, User
from backoffice.audit import addresses, context, verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record

MADE = verbs.register("tokens.made", _("Token made"))
ENDED = verbs.register("tokens.ended", _("Token ended"))
REFUSED = verbs.register("tokens.refused", _("Token refused"))

MANAGE = "accounts.manage_tokens"
_FORM = re.compile(r"bo_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")
_PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PREFIX_LENGTH, _SECRET_BYTES = 8, 32
_TOUCH = timedelta(minutes=1)
_MOST_ADDRESSES = 20
# A token in use from where it may not be is told of once an hour.
_TOLD = limits.Limit(1, 60 * 60)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a token is asked for with: `days` until it expires, `addresses` as networks or none."""

    name: str
    scopes: Sequence[str]
    days: int
    addresses: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token and, this one time, its text."""

    token: Token
    text: str = field(repr=False)


def make(user: User, wish: Wish, *, actor: User, reason: str) -> NewToken:
    """Make a token: for oneself, or with the right for a service account.

    Raises PermissionDenied (also while acting for somebody), ValidationError.
    """
    _require(user, actor)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    values = _checked(wish)
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(_PREFIX_LENGTH))
    text = f"bo_{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    with transaction.atomic():
        token = Token.objects.create(
            user=user, prefix=prefix, digest=_digest(text), made_by=actor, **values
        )
        facts = {"token": prefix, "scopes": token.scopes, "days": wish.days}
        record(MADE, actor=actor, subject=token, also=[user], reason=reason, context=facts)
    return NewToken(token, text)


def find(text: str, address: str) -> Token | None:
    """Return the live token of this text with its account, if it may be used from `address`."""
    form = _FORM.fullmatch(text)
    token = live().filter(prefix=form[1]).select_related("user").first() if form else None
    if token is None or not secrets.compare_digest(token.digest, _digest(text)):
        return None
    if token.addresses and not addresses.within(address, token.addresses):
        _tell(token)
        return None
    return token


def touch(token: Token, address: str) -> None:
    """Note that the token is used, once a minute at most."""
    now = timezone.now()
    old = Q(last_used_at=None) | Q(last_used_at__lt=now - _TOUCH)
    if token.last_used_at is None or token.last_used_at < now - _TOUCH:
        rows = Token.objects.filter(old, pk=token.pk)
        rows.update(last_used_at=now, last_used_from=address or None)


def live() -> QuerySet[Token]:
    """Return the tokens that can be used: not ended, not expired, of an active account."""
    return Token.objects.filter(ended_at=None, expires_at__gt=timezone.now(), user__is_active=True)


def end(token: Token, *, actor: User, reason: str = "") -> bool:
    """End a token: one's own, or with the right anybody's. False when it had ended before.

    Raises PermissionDenied.
    """
    if token.user_id != actor.pk and not actor.has_perm(MANAGE):
        raise PermissionDenied
    return bool(_end(Token.objects.filter(pk=token.pk), token.user, actor, reason))


def end_all(user: User, *, actor: User | None, reason: str = "") -> int:
    """End all tokens of an account; the caller has asked for the right. Returns how many."""
    return _end(Token.objects.filter(user=user), user, actor, reason)


def _end(rows: QuerySet[Token], user: User, actor: User | None, reason: str) -> int:
    with transaction.atomic():
        ended = list(rows.select_for_update().filter(ended_at=None))
        for token in ended:
            Token.objects.filter(pk=token.pk).update(ended_at=timezone.now(), ended_by=actor)
            facts = {"token": token.prefix}
            record(ENDED, actor=actor, subject=token, also=[user], reason=reason, context=facts)
    return len(ended)


def _require(user: User, actor: User) -> None:
    """Ask who makes a token for whom."""
    if not (actor.is_active and user.is_active) or actor.kind != Kind.PERSON:
        raise PermissionDenied
    if context.current().real_actor_id not in {None, actor.pk} or context.current().token:
        raise PermissionDenied
    service = user.kind == Kind.SERVICE
    if not (actor.has_perm(MANAGE) if service else user.pk == actor.pk):
        raise PermissionDenied


def _checked(wish: Wish) -> dict[str, object]:
    """Return the columns of the wish. Raises ValidationError."""
    name, longest = wish.name.strip(), settings.BACKOFFICE_TOKEN_DAYS
    if not name:
        raise ValidationError({"name": _("Say what it is for.")})
    if not wish.scopes or set(wish.scopes) - set(scopes.known()):
        raise ValidationError({"scopes": _("Choose what it opens.")})
    if not 1 <= wish.days <= longest:
        text = _("A token lasts from 1 to %(days)d days.") % {"days": longest}
        raise ValidationError({"days": text})
    return {
        "name": name[:80],
        "scopes": sorted(set(wish.scopes)),
        "addresses": networks(wish.addresses),
        "expires_at": timezone.now() + timedelta(days=wish.days),
    }


def networks(wanted: Iterable[str]) -> list[str]:
    """Return addresses and networks in their usual form. Raises ValidationError."""
    found = [text.strip() for text in wanted if text.strip()]
    if len(found) > _MOST_ADDRESSES:
        raise ValidationError({"addresses": _("At most 20 addresses.")})
    try:
        return sorted({str(addresses.network(text)) for text in found})
    except ValueError:
        text = _("Give addresses or networks, as 192.0.2.7 or 10.0.0.0/8.")
        raise ValidationError({"addresses": text}) from None


def _tell(token: Token) -> None:
    if limits.hit("token.elsewhere", token.pk, _TOLD).allowed:
        facts = {"token": token.prefix, "rule": "address"}
        record(REFUSED, actor=token.user, subject=token, outcome=Outcome.REFUSED, context=facts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
