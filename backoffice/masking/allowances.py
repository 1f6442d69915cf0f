"""How many records a person may look into, and what is usual for them.

What counts are different records (subjects), not looks: whoever reveals phone and e-mail of one
customer saw one record.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from django.conf import settings
from django.db.models import Max, Model
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Event, EventQuerySet, Outcome

REVEALED = verbs.register("masking.revealed", _("Personal data revealed"), personal="revealed")

# A person's usual day is the median of their days with a reveal within so many days before today;
# with fewer such days than DAYS_KNOWN nobody knows what is usual.
DAYS_BEFORE, DAYS_KNOWN = 30, 5
# From this multiple of the usual on a day is unusual, ...
UNUSUAL = 2
# ... but never with fewer records than these.
LEAST_UNUSUAL = 6
_HOUR, _DAY = dt.timedelta(hours=1), dt.timedelta(days=1)

type Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many more records one person may look into: within the hour, within the day."""

    hour: int
    day: int


def caps() -> Allowance:
    """Return how many different records anybody may look into."""
    return Allowance(
        hour=int(getattr(settings, "BACKOFFICE_REVEALS_PER_HOUR", 30)),
        day=int(getattr(settings, "BACKOFFICE_REVEALS_PER_DAY", 120)),
    )


def allowance(actor: User, *, beside: Sequence[Model] = ()) -> Allowance:
    """Return how many more records `actor` may look into once they have seen `beside` too.

    A number below zero says by how many `beside` is over the cap. One query.
    """
    now, also = timezone.now(), {_key(row) for row in beside}
    last = _last_looks(actor, now - _DAY)
    hour = {key for key, at in last.items() if at > now - _HOUR}
    most = caps()
    return Allowance(most.hour - len(hour | also), most.day - len(last.keys() | also))


def hold(actor: User) -> None:
    """Lock the person's row until the transaction ends, so that two requests count one another.

    (SQLite lets one writer in at a time anyway.)
    """
    User.objects.select_for_update().get(pk=actor.pk)


def today(actor: User) -> int:
    """Return how many different records `actor` looked into since midnight."""
    begin = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return len(_last_looks(actor, begin))


def usual(actor: User) -> float | None:
    """Return the median of different records a day, None while too little is known."""
    begin = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    looks = _looks(actor, begin - dt.timedelta(days=DAYS_BEFORE)).filter(at__lt=begin)
    keys = looks.values_list("at", "subject_type", "subject_id")
    days = Counter(day for day, _record in _distinct_by_day(keys.iterator()))
    return float(median(days.values())) if len(days) >= DAYS_KNOWN else None


def _distinct_by_day(
    looks: Iterable[tuple[dt.datetime, str, str]],
) -> set[tuple[dt.date, Key]]:
    return {(timezone.localtime(at).date(), (kind, key)) for at, kind, key in looks}


def _key(row: Model) -> Key:
    return row._meta.label_lower, str(row.pk)


def _last_looks(actor: User, since: dt.datetime) -> dict[Key, dt.datetime]:
    """Return record -> when `actor` last saw something of it, after `since`."""
    pairs = _looks(actor, since).values("subject_type", "subject_id").annotate(last=Max("at"))
    found = pairs.values_list("subject_type", "subject_id", "last")
    return {(kind, key): at for kind, key, at in found}


def _looks(actor: User, since: dt.datetime) -> EventQuerySet:
    done = Event.objects.filter(actor=actor, verb=REVEALED, outcome=Outcome.DONE)
    looks: EventQuerySet = done.filter(at__gt=since).order_by()
    return looks
