"""Functions that run every so many seconds, and jobs that start by the clock.

    BACKOFFICE_SCHEDULE = {
        "backup check": {"kind": "backup.check", "cron": "0 3 * * *", "params": {}},
    }

Each has one row in `Recurring`; the worker that moves its `next_at` on has the turn. For a job
that happens in the transaction that queues it, so a turn is neither lost nor taken twice. A time
that passed while no worker ran is made up for once.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from backoffice.accounts import installation
from backoffice.jobs import cron, registry, services
from backoffice.jobs.models import Recurring

logger = logging.getLogger("backoffice.jobs")
_PREFIX = "schedule: "


@dataclass(frozen=True, slots=True)
class Entry:
    """One job of the schedule."""

    name: str
    kind: str
    spec: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row_name(self) -> str:
        """The name of its row."""
        return f"{_PREFIX}{self.name}"

    def next_after(self, moment: datetime) -> datetime:
        """Return its next time. Raises CronError."""
        return cron.parse(self.spec).next_after(moment, installation.zone())


def entries() -> list[Entry]:
    """Return the schedule of the settings."""
    return [
        Entry(name, entry["kind"], entry["cron"], entry.get("params", {}))
        for name, entry in settings.BACKOFFICE_SCHEDULE.items()
    ]


def run_due() -> None:
    """Start what is due; each in one worker only. What fails does not keep the others.

    What is not due costs one read for all of it: a write that changes nothing would keep others
    from writing on SQLite, every second and for every worker.
    """
    later = set(Recurring.objects.filter(next_at__gt=timezone.now()).values_list("name", flat=True))
    for repeat in registry.recurring():
        if repeat.name not in later:
            _guarded(repeat.name, lambda repeat=repeat: _repeat(repeat))
    for entry in entries():
        _guarded(entry.name, lambda entry=entry: _start(entry))


def _guarded(name: str, function: Any) -> None:
    try:
        function()
    except Exception:
        logger.exception("recurring %s failed", name)


def _repeat(repeat: registry.Repeat) -> None:
    now = timezone.now()
    Recurring.objects.get_or_create(name=repeat.name, defaults={"next_at": now})
    due = Recurring.objects.filter(name=repeat.name, next_at__lte=now)
    if due.update(next_at=now + timedelta(seconds=repeat.seconds)):
        repeat.function()


def _start(entry: Entry) -> None:
    now = timezone.now()
    row = _row(entry, now)
    if row.next_at > now:
        return
    with transaction.atomic():
        turn = Recurring.objects.filter(pk=row.pk, next_at=row.next_at, spec=entry.spec)
        if turn.update(next_at=entry.next_after(now)):
            services.start(entry.kind, actor=None, title=entry.name, params=entry.params)


def _row(entry: Entry, now: datetime) -> Recurring:
    """Return the row of the entry, computed anew when its schedule changed."""
    row = Recurring.objects.filter(name=entry.row_name).first()
    if row is not None and row.spec == entry.spec:
        return row
    values = {"spec": entry.spec, "next_at": entry.next_after(now)}
    if row is not None:
        Recurring.objects.filter(pk=row.pk, spec=row.spec).update(**values)
    return Recurring.objects.get_or_create(name=entry.row_name, defaults=values)[0]
