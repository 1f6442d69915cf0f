"""Fresh proof of who somebody is, asked before anything dangerous.

The proof is given within the last ten minutes: a passkey, a code of an authenticator app or a
recovery code. The password does only for whom no second factor is enrolled, and never where a
second factor is `wanted`: to see clear values, unless BACKOFFICE_REVEAL_FACTOR is off.
"""

import json
import time
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import acting, codes, factors, limits
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record

FRESH_SECONDS = 10 * 60
# Wrong proofs of one person; then they have to wait, and stay signed in.
WRONG = limits.Limit(hits=8, seconds=15 * 60)
PASSKEY, CODE, PASSWORD = "passkey", "code", "password"
# A sign-in at which a trusted provider asked for a second factor itself.
PROVIDER = "provider"
PROVED = verbs.register("session.proved", _("Proved who they are"))
FAILED = verbs.register("session.proof_failed", _("Wrong proof of who somebody is"))
_AT, _BY = "stepup_at", "stepup_by"
_BUCKET = "stepup"


class TooManyTriesError(Exception):
    """Too many wrong proofs of this person; `wait`: seconds until the next one is looked at."""

    def __init__(self, wait: int) -> None:
        """Keep how long to wait."""
        super().__init__(wait)
        self.wait = wait


def mark(request: HttpRequest, by: str = PASSWORD) -> None:
    """Note that the person behind the session proved themselves just now, and by what."""
    request.session[_AT] = time.time()
    request.session[_BY] = by


def mark_sign_in(request: HttpRequest, user: User) -> None:
    """Start the ten minutes at a sign-in, by what it was done with."""
    records = get_authentication_records(request, user)
    kinds = {str(entry.get("type", "")) for entry in records if entry.get("method") == "mfa"}
    if Authenticator.Type.WEBAUTHN in kinds:
        mark(request, PASSKEY)
    else:
        otherwise = PROVIDER if factors.by_provider(request, user) else PASSWORD
        mark(request, CODE if kinds else otherwise)


def wants_factor() -> bool:
    """Say whether clear values are shown after a second factor only; so unless switched off."""
    return bool(getattr(settings, "BACKOFFICE_REVEAL_FACTOR", True))


def is_fresh(request: HttpRequest, *, factor: bool = False) -> bool:
    """Say whether the last proof is at most ten minutes old, and one that does for this person.

    `factor`: it is about clear values, for which the password alone is none where that is wanted.
    """
    if acting.is_acting():
        return False
    at = request.session.get(_AT)
    if not isinstance(at, int | float) or not 0 <= time.time() - at <= FRESH_SECONDS:
        return False
    by = request.session.get(_BY)
    if by in {PASSKEY, CODE}:
        return True
    if factor and wants_factor() and by != PROVIDER:
        return False
    return isinstance(request.user, User) and not _types(request.user) & _FACTORS


def methods(user: User, *, factor: bool = False) -> tuple[str, ...]:
    """Return by what the person can prove themselves, the best first; () when by nothing here."""
    types = _types(user)
    if not types & _FACTORS:
        if factor and wants_factor():
            return ()
        return (PASSWORD,) if user.has_usable_password() else ()
    ways = ((PASSKEY, {_TYPE.WEBAUTHN}), (CODE, {_TYPE.TOTP, _TYPE.RECOVERY_CODES}))
    return tuple(name for name, wanted in ways if types & wanted)


def begin_passkey(request: HttpRequest) -> dict[str, Any]:
    """Return what `navigator.credentials.get` takes; its challenge is good for one try."""
    return webauthn.begin_authentication(request.user)  # type: ignore[no-any-return]


def confirm(request: HttpRequest, proof: str, *, factor: bool = False) -> bool:
    """Check a password, a code, or the JSON of a passkey; when right, the proof is fresh again.

    `factor` as in `is_fresh`: then a password is wrong where a second factor is wanted.
    What is wrong is counted and goes on the record. Raises TooManyTriesError. Call it outside of
    a transaction that may be rolled back.
    """
    user = request.user
    if not isinstance(user, User) or not user.is_active or acting.is_acting():
        return False
    verdict = limits.hit(_BUCKET, user.pk, WRONG)
    if not verdict.allowed:
        raise TooManyTriesError(verdict.wait)
    by = _proved_by(request, user, proof, factor=factor)
    if not by:
        record(FAILED, actor=user, subject=user, outcome=Outcome.REFUSED)
        return False
    limits.forget(_BUCKET, user.pk)
    mark(request, by)
    record(PROVED, actor=user, subject=user, context={"by": by})
    return True


_TYPE = Authenticator.Type
_FACTORS = {_TYPE.WEBAUTHN.value, _TYPE.TOTP.value}


def _types(user: User) -> set[str]:
    return set(Authenticator.objects.filter(user=user).values_list("type", flat=True))


def _proved_by(request: HttpRequest, user: User, proof: str, *, factor: bool) -> str:
    """Return which of the person's ways the proof is, "" when it is none."""
    ways = methods(user, factor=factor)
    if PASSKEY in ways and proof.startswith("{"):
        return PASSKEY if _is_passkey(request, user, proof) else ""
    if CODE in ways and codes.use(user, proof) is not None:
        return CODE
    return PASSWORD if PASSWORD in ways and user.check_password(proof) else ""


def _is_passkey(request: HttpRequest, user: User, proof: str) -> bool:
    """Check the answer to the challenge of this session, which is gone afterwards."""
    try:
        answer = webauthn.parse_authentication_response(json.loads(proof))
        row = webauthn.complete_authentication(user, answer)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError):
        return False
    finally:
        request.session.pop(webauthn.STATE_SESSION_KEY, None)
    row.record_usage()
    return True
