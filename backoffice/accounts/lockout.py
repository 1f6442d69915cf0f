"""Pauses after wrong passwords, codes and too many requests for a reset link.

A try is counted before the password is looked at, so that processes side by side cannot look at
more than the limit; what turns out right is given back. There are counts for a name at one customer
line ("pair"), for the line ("address"), and for the name ("account"). Each has steps whose pauses
grow and end by themselves. A try that has to wait is not looked at and uses up nothing further.

What strangers do counts against strangers: a browser or a customer line from which the person
signed in before has only its own tries to answer for. So nobody can shut the right person out.
Names that nobody has are counted like others, and whoever is let past the strangers' pause and is
wrong hears what a stranger would hear: the answers do not tell which accounts there are.

    attempt = lockout.begin(request, "password", name=typed)    # raises PausedError
    if right: lockout.succeeded(attempt)
    else:     lockout.failed(attempt)                           # may raise PausedError
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice.accounts import limits
from backoffice.accounts.limits import Limit, Verdict
from backoffice.accounts.models import Device, User
from backoffice.audit import verbs
from backoffice.audit.addresses import client_address, line_of
from backoffice.audit.models import Outcome
from backoffice.audit.services import record

PAUSED = verbs.register("session.paused", _("Tries to sign in were paused"))

KINDS = ("password", "code", "reset")
_MINUTE = 60
# Of that many devices of a person, the newest, the addresses are known.
_DEVICES = 50
_VOUCHED, _VOUCHED_SECONDS = "vouched", 30 * 60
_LONGEST_NAME = 320

type Count = tuple[str, str]
type Taken = tuple[str, str, Verdict]
# find(request, person) -> the row of the browser, if the person signed in with it before.
type FindDevice = Callable[[HttpRequest, User], Device | None]

_finders: list[FindDevice] = []


def recognise_by(find: FindDevice) -> None:
    """Let `find` tell the browsers of a person (called in `AppConfig.ready`)."""
    if find not in _finders:
        _finders.append(find)


class PausedError(Exception):
    """No try is allowed now; `wait` in seconds, the text is for people."""

    def __init__(self, wait: int) -> None:
        self.wait = wait
        super().__init__(text(wait))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `own` are counts that a success wipes out, `taken` those that it gives back.

    `strangers_wait` is how long a stranger would have to wait now; 0 for not at all.
    """

    kind: str
    person: User | None
    own: list[Count] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    strangers_wait: int = 0


def text(wait: int) -> str:
    """Return in a sentence how long to wait; minutes are rounded up."""
    minutes = -(-wait // _MINUTE)
    said = ngettext(
        "Too many tries. Wait a minute, then try again.",
        "Too many tries. Wait %(minutes)d minutes, then try again.",
        minutes,
    )
    return said % {"minutes": minutes}


def begin(request: HttpRequest, kind: str, *, name: str = "", user: User | None = None) -> Attempt:
    """Count a try for what was typed as a name (user name or e-mail), or for a known `user`.

    `kind` is one of KINDS. Raises PausedError when no try is allowed now; then nothing may be
    looked at. Call it outside of a transaction.
    """
    person = user or _person(name)
    account = _account(person, name)
    line = line_of(client_address(request))
    pair = f"{account} {line}"
    if person is not None and (known := _device(request, person)):
        return _trusted(kind, person, ("device", f"{account} {known.pk}"), account, line)
    if person is not None and _signed_in_from(person, line):
        return _trusted(kind, person, ("pair", pair), account, line)
    taken: list[Taken] = []
    for who, key in (("pair", pair), ("address", line), ("account", account)):
        taken += _count(kind, who, key, person, taken)
    return Attempt(kind, person, own=[("pair", pair)], taken=taken)


def succeeded(attempt: Attempt) -> None:
    """Wipe out the person's own wrong tries and give back what this one took from the others'."""
    for who, key in attempt.own:
        for limit in _steps(attempt.kind, who):
            limits.forget(_bucket(attempt.kind, who, limit), key)
    for bucket, key, verdict in attempt.taken:
        limits.give_back(bucket, key, verdict)


def failed(attempt: Attempt) -> None:
    """Leave it counted. Raises PausedError where a stranger would hear of a pause."""
    if attempt.strangers_wait:
        raise PausedError(attempt.strangers_wait)


def vouch(request: HttpRequest, person: User) -> None:
    """Take the customer line of the request for the person's own, for half an hour at least.

    For who proved themselves in another way: by the link of a reset. So even under an attack that
    goes on, at a place where they never were, they get in.
    """
    lift(person)
    line = line_of(client_address(request))
    limits.once(_VOUCHED, f"{_account(person, '')} {line}", seconds=_VOUCHED_SECONDS)


def reset_done(sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Vouch for whoever chose a new password by the link in their mail (a signal's receiver)."""
    vouch(request, user)


def lift(person: User) -> None:
    """Forget the pauses that strangers caused to an account; those of customer lines go on."""
    account = _account(person, "")
    for kind in KINDS:
        for limit in _steps(kind, "account"):
            limits.forget(_bucket(kind, "account", limit), account)


def _trusted(kind: str, person: User, own: Count, account: str, line: str) -> Attempt:
    """Count a try from where the person is known: against its own limit alone.

    The customer line's count goes up too, so that a known line cannot try many names unseen.
    """
    who, key = own
    taken = _count(kind, who, key, person, [])
    wait = max(_wait(kind, "address", line), _wait(kind, "account", account))
    for limit in _steps(kind, "address"):
        bucket = _bucket(kind, "address", limit)
        taken.append((bucket, line, limits.hit(bucket, line, limit)))
    return Attempt(kind, person, own=[own], taken=taken, strangers_wait=wait)


def _count(kind: str, who: str, key: str, person: User | None, before: list[Taken]) -> list[Taken]:
    """Count step by step; at the first pause give back all that this try took before."""
    taken: list[Taken] = []
    for limit in _steps(kind, who):
        bucket = _bucket(kind, who, limit)
        verdict = limits.hit(bucket, key, limit)
        if not verdict.allowed:
            for earlier in (*before, *taken):
                limits.give_back(*earlier)
            _note(kind, who, key, person, limit, verdict)
            raise PausedError(verdict.wait)
        taken.append((bucket, key, verdict))
    return taken


def _note(
    kind: str, who: str, key: str, person: User | None, limit: Limit, verdict: Verdict
) -> None:
    """Put a pause on the record: by the first try that meets it, once a window."""
    once = Limit(1, limit.seconds)
    bucket = f"noted.{_bucket(kind, who, limit)}"
    if verdict.hits == limit.hits + 1 and limits.hit(bucket, key, once).allowed:
        record(
            PAUSED,
            actor=None,
            subject=None if who == "address" else person,
            outcome=Outcome.REFUSED,
            context={"tries": kind, "of": who, "within_seconds": limit.seconds},
        )


def _wait(kind: str, who: str, key: str) -> int:
    steps = _steps(kind, who)
    return max((limits.peek(_bucket(kind, who, step), key, step).wait for step in steps), default=0)


def _steps(kind: str, who: str) -> list[Limit]:
    """Return the steps of the settings; a known device has those of a pair."""
    table = settings.BACKOFFICE_LOCKOUT[kind]
    steps = table["pair" if who == "device" else who]
    return [Limit(hits, seconds) for hits, seconds in steps]


def _bucket(kind: str, who: str, limit: Limit) -> str:
    return f"{kind}.{who}.{limit.seconds}"


def _person(name: str) -> User | None:
    """Return whom the typed name means, by user name or e-mail; None unless it is one account."""
    typed = name.strip()[:_LONGEST_NAME]
    if not typed:
        return None
    found = list(User.objects.filter(Q(username__iexact=typed) | Q(email__iexact=typed))[:2])
    return found[0] if len(found) == 1 else None


def _account(person: User | None, name: str) -> str:
    if person is not None:
        return f"person:{person.pk}"
    return f"name:{name.strip()[:_LONGEST_NAME].casefold()}"


def _device(request: HttpRequest, person: User) -> Device | None:
    return next((row for find in _finders if (row := find(request, person)) is not None), None)


def _signed_in_from(person: User, line: str) -> bool:
    vouched = f"{_account(person, '')} {line}"
    if limits.peek(_VOUCHED, vouched, Limit(1, _VOUCHED_SECONDS)).hits:
        return True
    rows = Device.objects.filter(user=person, address__isnull=False).order_by("-last_seen")
    addresses = rows.values_list("address", flat=True)[:_DEVICES]
    return line != "" and any(line_of(address) == line for address in addresses if address)
