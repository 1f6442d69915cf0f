"""Proof that the record is what was written: every link computed anew, in constant memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import IntegerField, Q
from django.db.models.functions import Cast
from django.utils import timezone

from backoffice.audit import chain, triggers, verbs
from backoffice.audit.anchors import Anchor
from backoffice.audit.models import Checkpoint, Event, EventReason, Seal

BATCH = 2000
# How far to look for where a link that stands in the wrong place belongs.
REACH = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong first, and where.

    `kind`: changed, missing, inserted, reordered, cut (the end is gone), unguarded (a trigger is
    missing). `position` of the link and key of the `event`, where they are known.
    """

    kind: str
    text: str
    position: int | None = None
    event: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass
class Report:
    """What was checked (links `first` to `head.position`) and what was found."""

    head: chain.Head
    first: int = 1
    checked: int = 0
    erased: int = 0
    late: int = 0
    anchors: int = 0
    unsealed: int = 0
    oldest_unsealed: datetime | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing was found."""
        return not self.problems


class Link(NamedTuple):
    """A row of Seal, its time as text."""

    position: int
    event: int
    previous: str
    hash: str
    until: str
    late: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Links of neighbouring positions, with all that they are computed from."""

    links: list[Link]
    events: dict[int, chain.Row]
    further: dict[int, chain.Subjects]
    reasons: dict[int, tuple[str, str, int | None]]

    def digest(self, link: Link, event: int, *, position: int | None = None) -> str:
        """Return the hash of the link if it were about `event` (and stood at `position`)."""
        place = link.position if position is None else position
        row, further = self.events[event], self.further.get(event, [])
        return chain.link(link.previous, place, link.until, bool(link.late), row, further)


def verify(*, since: datetime | None = None, anchors: Iterable[Anchor] = ()) -> Report:
    """Check the chain (from the first link of `since` on), what stands outside it, and anchors.

    The walk ends at its first problem; the other checks are made all the same.
    """
    report = Report(head=chain.head())
    position, running = _start(since, report)
    report.first = position + 1
    if problem := _walk(position, running, report):
        report.problems.append(problem)
    checks = (_outside(report), _erasures(), _anchored(anchors, report), _guards())
    report.problems.extend(problem for check in checks for problem in check)
    return report


def _start(since: datetime | None, report: Report) -> tuple[int, str]:
    """Return position and hash after which the walk begins."""
    checkpoint = Checkpoint.objects.order_by("-position").first()
    begin = (checkpoint.position, checkpoint.hash) if checkpoint else (0, chain.GENESIS)
    if checkpoint and not _recorded(checkpoint):
        text = f"no event tells of the purge up to position {checkpoint.position}"
        report.problems.append(Problem("missing", text, checkpoint.position))
    if since is None:
        return begin
    seals = Seal.objects.filter(until__gte=since).order_by("position")
    first = seals.values_list("position", "previous").first()
    return (first[0] - 1, first[1]) if first else (report.head.position, report.head.hash)


def _recorded(checkpoint: Checkpoint) -> bool:
    contexts = Event.objects.filter(verb=verbs.PURGED).values_list("context", flat=True)
    wanted = (checkpoint.position, checkpoint.hash)
    return any((found.get("position"), found.get("hash")) == wanted for found in contexts)


def _walk(position: int, running: str, report: Report) -> Problem | None:
    """Compute every link anew; return the first problem."""
    before = ""
    for batch in _batches(position + 1, report.head.position):
        for link in batch.links:
            position += 1
            problem = _check(link, position, running, before, batch, report)
            if problem:
                return problem
            before, running = running, link.hash
    if position < report.head.position:
        return _gap(position + 1)
    return None


def _batches(first: int, last: int) -> Iterator[Batch]:
    """Yield the links from `first` to `last`, so many at a time."""
    for low in range(first, last + 1, BATCH):
        high = min(low + BATCH - 1, last)
        seals = Seal.objects.filter(position__range=(low, high)).order_by("position")
        of_these = {"seal__position__range": (low, high)}
        rows = Event.objects.filter(**of_these).order_by().values_list(*chain.COLUMNS)
        reasons = EventReason.objects.filter(event__seal__position__range=(low, high))
        found = reasons.values_list("event_id", "salt", "text", "erased_in_id")
        late = Cast("late", IntegerField())
        columns = ("position", "event_id", "previous", "hash", chain.Moment("until"), late)
        yield Batch(
            links=list(map(Link._make, seals.values_list(*columns))),
            events={row[0]: row for row in rows},
            further=chain.further_subjects(
                Event.objects.filter(**of_these).order_by().values("pk")
            ),
            reasons={event: (salt, text, by) for event, salt, text, by in found},
        )


def _gap(position: int) -> Problem:
    return Problem("missing", f"there is no link at position {position}", position)


# One call a link, a million in a run: what it needs is handed over as it is.
def _check(
    link: Link, position: int, running: str, before: str, batch: Batch, report: Report
) -> Problem | None:
    """Return what is wrong with this link, which should stand at `position` after `running`."""
    if link.position != position:
        return _gap(position)
    if link.event not in batch.events:
        text = f"event {link.event} (position {position}) is gone"
        return Problem("missing", text, position, link.event)
    if link.previous != running:
        return _out_of_place(link, before, batch)
    if batch.digest(link, link.event) != link.hash:
        return _not_as_sealed(link, batch)
    report.checked += 1
    report.late += link.late
    return _check_reason(link, batch, report)


def _out_of_place(link: Link, before: str, batch: Batch) -> Problem:
    """Tell a link that does not follow the one before it: inserted, missing or reordered."""
    where, event = f"position {link.position} (event {link.event})", link.event
    if link.previous == before:
        other = next(one for one in batch.links if one.position == link.position - 1)
        text = f"the link at position {other.position} (event {other.event}) was slipped in"
        return Problem("inserted", text, other.position, other.event)
    if any(one.hash == link.previous for one in batch.links):
        text = f"the link at {where} belongs elsewhere"
        return Problem("reordered", text, link.position, event)
    if _stood_later(link, batch):
        return Problem("missing", f"links before {where} are gone", link.position, event)
    return Problem("changed", f"the link at {where} was changed", link.position, event)


def _stood_later(link: Link, batch: Batch) -> bool:
    places = range(link.position, link.position + REACH)
    return any(batch.digest(link, link.event, position=place) == link.hash for place in places)


def _not_as_sealed(link: Link, batch: Batch) -> Problem:
    """Tell a link whose event is not what was sealed: swapped with another one, or changed."""
    for other, row in batch.events.items():
        if other == link.event:
            continue
        mine = Batch(batch.links, {link.event: (link.event, *row[1:])}, batch.further, {})
        if link.hash in {batch.digest(link, other), mine.digest(link, link.event)}:
            text = f"event {link.event} (position {link.position}) changed places with {other}"
            return Problem("reordered", text, link.position, link.event)
    text = f"event {link.event} (position {link.position}) is not what was sealed"
    return Problem("changed", text, link.position, link.event)


def _check_reason(link: Link, batch: Batch, report: Report) -> Problem | None:
    """Hold the typed reason against its hash in the event."""
    wanted, kept = batch.events[link.event][-1], batch.reasons.get(link.event)
    where = f"the typed reason of event {link.event} (position {link.position})"
    if kept is None:
        text = f"{where} is gone"
        return Problem("missing", text, link.position, link.event) if wanted else None
    salt, typed, erased_in = kept
    if erased_in is not None and not salt and not typed:
        report.erased += 1
        return None
    if chain.reason_hash(salt, typed) == wanted:
        return None
    kind, text = ("changed", "was changed") if wanted else ("inserted", "was slipped in")
    return Problem(kind, f"{where} {text}", link.position, link.event)


def _outside(report: Report) -> Iterator[Problem]:
    """Count the events that wait for the sealer; name one that it would never have left."""
    waiting = chain.unsealed()
    oldest = waiting.order_by("at").values_list("at", flat=True).first()
    report.oldest_unsealed = oldest
    report.unsealed = waiting.count()
    if report.head.until is None or oldest is None:
        return
    odd = Q(at__lt=report.head.until - chain.tolerance())
    odd |= Q(at__gt=timezone.now() + chain.tolerance())
    if connection.vendor == "sqlite":
        odd |= Q(pk__lt=chain.newest_key())
    event = waiting.filter(odd).order_by("pk").values_list("pk", flat=True).first()
    if event is not None:
        text = f"event {event} stands in no link, but its number or time lies where all are linked"
        yield Problem("inserted", text, event=event)


def _erasures() -> Iterator[Problem]:
    """Name a reason that was emptied although no event tells of its erasure."""
    emptied = EventReason.objects.filter(Q(text="", salt="") | Q(erased_in__isnull=False))
    odd = emptied.exclude(erased_in__verb=verbs.REASONS_ERASED, text="", salt="")
    event = odd.order_by("event_id").values_list("event_id", flat=True).first()
    if event is not None:
        text = f"the typed reason of event {event} was emptied, and no event tells of it"
        yield Problem("changed", text, event=event)


def _anchored(anchors: Iterable[Anchor], report: Report) -> Iterator[Problem]:
    """Hold the chain against what was written down outside; name the first that differs."""
    for some in batched(anchors, BATCH):
        positions = [anchor.position for anchor in some]
        found: dict[int, Any] = dict(
            Seal.objects.filter(position__in=positions).values_list("position", "hash")
        )
        for anchor in some:
            report.anchors += 1
            if anchor.position > report.head.position:
                yield _cut(anchor, report.head)
                return
            if anchor.position in found and found[anchor.position] != anchor.hash:
                text = f"the link at position {anchor.position} is not the one anchored"
                yield Problem("changed", f"{text} at {anchor.time}", anchor.position)
                return


def _cut(anchor: Anchor, head: chain.Head) -> Problem:
    text = (
        f"the chain ends at position {head.position},"
        f" but at {anchor.time} it reached {anchor.position}"
    )
    return Problem("cut", text, anchor.position)


def _guards() -> Iterator[Problem]:
    if lost := triggers.missing(connection):
        yield Problem("unguarded", f"the database lacks the triggers {', '.join(lost)}")
