"""Limits on how often something may be tried.

They are counted in the database, so they hold under any number of processes and after a restart.
A window is fixed: `seconds` long, counted from the epoch. Keys are kept as keyed digests only.
A bucket has windows of one length: two that begin together would share a row.
"""

import time
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils.crypto import salted_hmac

from backoffice.accounts.models import Counter

_KEPT_SECONDS = 2 * 24 * 60 * 60
_COUNT = """
    INSERT INTO accounts_counter (bucket, key, "window", hits) VALUES (%s, %s, %s, 1)
    ON CONFLICT (bucket, key, "window") DO UPDATE SET hits = accounts_counter.hits + 1
    RETURNING hits
"""
_ONCE = """
    INSERT INTO accounts_counter (bucket, key, "window", hits)
    VALUES (%s, %s, %s, 1), (%s, %s, %s, 1)
    ON CONFLICT (bucket, key, "window") DO NOTHING
    RETURNING hits
"""


@dataclass(frozen=True)
class Limit:
    """At most `hits` in `seconds`."""

    hits: int
    seconds: int


@dataclass(frozen=True)
class Verdict:
    """Whether one more was within the limit; `wait`: seconds until the window ends.

    `window` is when it began, in seconds since the epoch.
    """

    allowed: bool
    hits: int
    wait: int
    window: int = 0


def hit(bucket: str, key: object, limit: Limit) -> Verdict:
    """Count one try of `key` and say whether it is within the limit. A limit of 0 hits is none.

    Call it outside of a transaction that may be rolled back: the count would go with it.
    """
    if limit.hits == 0:
        return Verdict(allowed=True, hits=0, wait=0)
    window = _window(limit)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [bucket, _digest(key), window])
        (hits,) = cursor.fetchone()
    return _verdict(hits, hits <= limit.hits, window, limit)


def peek(bucket: str, key: object, limit: Limit) -> Verdict:
    """Say whether one more try would be within the limit, without counting it."""
    if limit.hits == 0:
        return Verdict(allowed=True, hits=0, wait=0)
    window = _window(limit)
    row = Counter.objects.filter(bucket=bucket, key=_digest(key), window=window).first()
    hits = row.hits if row is not None else 0
    return _verdict(hits, hits < limit.hits, window, limit)


def once(bucket: str, key: object, *, seconds: int) -> bool:
    """Say whether nobody did `key` within the last `seconds`, and note that it is done now.

    Of two at once, in any processes, one hears True. It is noted in this window and in the next
    one, so that whoever comes after the turn of the window meets it too.
    """
    digest, now = _digest(key), int(time.time())
    window = now - now % seconds
    values: list[Any] = [bucket, digest, window, bucket, digest, window + seconds]
    with connection.cursor() as cursor:
        cursor.execute(_ONCE, values)
        return len(cursor.fetchall()) == 2  # noqa: PLR2004 - both rows are new


def give_back(bucket: str, key: object, verdict: Verdict) -> None:
    """Take back the one try of `key` that gave this verdict."""
    rows = Counter.objects.filter(bucket=bucket, key=_digest(key), window=verdict.window)
    rows.filter(hits__gt=0).update(hits=F("hits") - 1)


def forget(bucket: str, key: object) -> None:
    """Take back all tries of `key`."""
    Counter.objects.filter(bucket=bucket, key=_digest(key)).delete()


def prune() -> int:
    """Delete counts of windows long past; return how many."""
    before = int(time.time()) - _KEPT_SECONDS
    return Counter.objects.filter(window__lt=before).delete()[0]


def _window(limit: Limit) -> int:
    now = int(time.time())
    return now - now % limit.seconds


def _verdict(hits: int, allowed: bool, window: int, limit: Limit) -> Verdict:  # noqa: FBT001
    wait = 0 if allowed else max(window + limit.seconds - int(time.time()), 1)
    return Verdict(allowed=allowed, hits=hits, wait=wait, window=window)


def _digest(key: object) -> str:
    return salted_hmac("backoffice.limits", str(key), algorithm="sha256").hexdigest()
