"""Throwing old events away so that the rest still verifies."""

from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from backoffice.audit import chain, triggers, verbs
from backoffice.audit.models import Checkpoint, Seal
from backoffice.audit.services import Actor, record

# Korea's standard of measures for the safety of personal data, article 8: records of access are
# kept one year; two where more than 50,000 people's, unique identifiers or sensitive data are held.
YEARS = 1


class TooYoungError(ValueError):
    """Events would go that have to be kept."""


def kept_since() -> datetime:
    """Return the time from which on every event has to be kept."""
    years: int = max(YEARS, getattr(settings, "BACKOFFICE_AUDIT_YEARS", YEARS))
    now = timezone.now()
    if (now.month, now.day) == (2, 29):
        now = now.replace(day=28)
    return now.replace(year=now.year - years)


def last_position(before: datetime) -> int | None:
    """Return the position up to which every event is older than `before`; None if none is.

    Raises TooYoungError when `before` lies in the time that has to be kept.
    """
    if before > kept_since():
        raise TooYoungError(f"Events since {kept_since():%Y-%m-%d} have to be kept.")
    # `until` only grows along the chain, so what lies before is a beginning of it.
    old = Seal.objects.filter(until__lt=before).order_by("-position")
    return old.values_list("position", flat=True).first()


def purge(before: datetime, *, actor: Actor) -> int:
    """Delete the linked events older than `before`; return how many.

    A checkpoint keeps the hash of the last link that went, and an event tells of it. One
    transaction with the triggers lifted: writers of events wait, so run it under maintenance.
    Raises TooYoungError when `before` lies in the time that has to be kept.
    """
    last = last_position(before)
    if last is None:
        return 0
    with transaction.atomic():
        end = Seal.objects.get(pk=last)
        count = Seal.objects.filter(pk__lte=last).count()
        Checkpoint.objects.create(position=last, hash=end.hash, until=end.until)
        told = {"position": last, "hash": end.hash, "before": before.isoformat(), "events": count}
        record(verbs.PURGED, actor=actor, context=told)
        with triggers.lifted(connection):
            _delete(last)
    chain.seal()
    return count


def _delete(last: int) -> None:
    """Delete the links up to `last` with their events, and what hangs on these.

    By plain SQL: the ORM would load every row to protect it. Foreign keys are checked at the
    commit, so the links can go last.
    """
    linked = "(SELECT event_id FROM audit_seal WHERE position <= %s)"
    with connection.cursor() as cursor:
        for table, key in (
            ("eventreason", "event_id"),
            ("eventsubject", "event_id"),
            ("event", "id"),
        ):
            cursor.execute(f"DELETE FROM audit_{table} WHERE {key} IN {linked}", [last])  # noqa: S608 - our own names
        cursor.execute("DELETE FROM audit_seal WHERE position <= %s", [last])
