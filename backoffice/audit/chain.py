"""The chain over the record: what is hashed, and the one sealer that links committed events.

Writers insert events unlinked and wait for nobody. The sealer gives each committed event a gapless
position and a hash over its content and the link before it. Content is read back from the database,
so what is hashed is what is stored.
"""

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Func, Max, OuterRef, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from backoffice.audit.models import Checkpoint, Event, EventSubject, Seal

VERSION = 1
BATCH = 1000
GENESIS = "0" * 64


class Moment(Func):
    """A time as text in UTC with microseconds: the same on every database, and cheap to read."""

    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Django stores it as such a text, without zone, and without microseconds when 0."""
        template = (
            "replace(%(expressions)s, ' ', 'T') ||"
            " CASE length(%(expressions)s) WHEN 19 THEN '.000000+00:00' ELSE '+00:00' END"
        )
        return super().as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Let the server write it."""
        form = """YYYY-MM-DD"T"HH24:MI:SS.US"+00:00\""""
        template = f"to_char(%(expressions)s AT TIME ZONE 'UTC', '{form}')"
        return super().as_sql(compiler, connection, template=template, **extra)


# An event's columns in the order in which they are hashed; the order is part of VERSION. Times and
# details come as text: a million of them are read in `audit verify`.
COLUMNS = (
    "pk",
    Moment("at"),
    "actor_id",
    "real_actor_id",
    "verb",
    "subject_type",
    "subject_id",
    "outcome",
    Cast("context", TextField()),
    "address",
    "session",
    "request_id",
    "reason_hash",
)
# Key of PostgreSQL's advisory lock: the letters "audit" as a number.
LOCK = int.from_bytes(b"audit", "big")

Row = Sequence[Any]
Subjects = list[tuple[str, str]]
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
CONTEXT = 8  # where the details stand in COLUMNS


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain; `until` is the newest time of an event in it (None: no event yet)."""

    position: int = 0
    hash: str = GENESIS
    until: datetime | None = None


def new_salt() -> str:
    """Return 16 random bytes in hexadecimal."""
    return secrets.token_hex(16)


def reason_hash(salt: str, text: str) -> str:
    """Return the SHA-256 of salt and text in hexadecimal."""
    return hashlib.sha256((salt + text).encode()).hexdigest()


def moment(value: datetime) -> str:
    """Return the time as `Moment` does."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


# One call a link, a million times in `audit verify`: the arguments stay positional.
def link(
    previous: str,
    position: int,
    until: str,
    late: bool,  # noqa: FBT001
    row: Row,
    further: Subjects,
) -> str:
    """Return the hash of a link in hexadecimal: SHA-256 over canonical JSON.

    `row` holds the event's COLUMNS, `further` the (kind, key) of its further subjects.
    """
    context = json.loads(row[CONTEXT]) if row[CONTEXT] != "{}" else {}
    place = [VERSION, previous, position, until, int(late)]
    content = [*row[:CONTEXT], context, *row[CONTEXT + 1 :], further]
    return hashlib.sha256(_encode([place, content]).encode()).hexdigest()


def head() -> Head:
    """Return the end of the chain: the last link, else the checkpoint, else the beginning."""
    for model in (Seal, Checkpoint):
        last = model.objects.order_by("-position").values_list("position", "hash", "until").first()
        if last:
            return Head(*last)
    return Head()


def tolerance() -> timedelta:
    """Return how much older than its neighbours an event may be and still be linked by itself.

    A transaction writes its events with the time of writing and commits later. What is older is
    taken for a row that somebody slipped in.
    """
    return timedelta(seconds=getattr(settings, "BACKOFFICE_AUDIT_LATE_SECONDS", 3600))


def unsealed() -> Any:
    """Return the events that stand in no link yet.

    NOT EXISTS: of an outer join PostgreSQL's planner expects next to nothing to be left over, and
    reads all of both tables for each batch of a backlog.
    """
    return Event.objects.filter(~Exists(Seal.objects.filter(event=OuterRef("pk"))))


def further_subjects(events: Any) -> dict[int, Subjects]:
    """Return key of event -> further subjects in their order."""
    found: dict[int, Subjects] = defaultdict(list)
    rows = EventSubject.objects.filter(event__in=events).order_by("event_id", "position")
    for event, kind, identity in rows.values_list("event_id", "subject_type", "subject_id"):
        found[event].append((kind, identity))
    return found


def seal(*, late: bool = False) -> int:
    """Link every committed event that has no link yet; return how many.

    Safe to call from anywhere at any time: two sealers wait for each other, batch by batch, and
    no writer waits. With `late` it also takes in events dated long before their neighbours.
    """
    total = 0
    while done := _seal_batch(late=late):
        total += done
    return total


def _seal_batch(*, late: bool) -> int:
    # Before SQLite's one write lock is taken. Not exists(): that forgets the order, and with it the
    # index that bounds the search.
    if not _waiting(head(), late=late).values_list("pk")[:1]:
        return 0
    with transaction.atomic():
        _wait_for_other_sealers()
        last = head()
        rows = list(_waiting(last, late=late).values_list(*COLUMNS, "at")[:BATCH])
        Seal.objects.bulk_create(_links(last, rows, late=late))
    return len(rows)


def _wait_for_other_sealers() -> None:
    """Hold PostgreSQL's lock until the commit; on SQLite the write transaction is that lock."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _waiting(last: Head, *, late: bool) -> Any:
    """Return the events to be linked next, in their order."""
    if late or last.until is None:
        return unsealed().order_by("pk")
    now = timezone.now()
    events = unsealed().filter(at__gte=last.until - tolerance(), at__lte=now + tolerance())
    if connection.vendor == "postgresql":
        # Transactions commit in another order than they took their keys in: a key below the
        # newest linked one is fine. By time, so that the index over it bounds the search.
        return events.order_by("at", "pk")
    # On SQLite one transaction is over before the next one takes a key.
    return events.filter(pk__gt=newest_key()).order_by("pk")


def newest_key() -> int:
    """Return the highest key of an event in the chain, 0 without one."""
    found: int | None = Seal.objects.aggregate(key=Max("event_id"))["key"]
    return found or 0


def _links(last: Head, rows: Sequence[Row], *, late: bool) -> Iterable[Seal]:
    """Return the new links, in order."""
    further = further_subjects([row[0] for row in rows])
    position, previous, until = last.position, last.hash, last.until
    links = []
    for *row, at in rows:
        position += 1
        until = at if until is None else max(until, at)
        place = (previous, position, moment(until), late)
        digest = link(*place, row, further.get(row[0], []))
        links.append(
            Seal(
                position=position,
                event_id=row[0],
                previous=previous,
                hash=digest,
                until=until,
                late=late,
            )
        )
        previous = digest
    return links
