"""Forgetting events of gateways that brought nothing: anybody may send what is not signed.

Only what was ignored is forgotten. What was done stays: an older word that comes again is told
from it, as is what came before. What was ignored and comes once more is ignored once more.
"""

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from backoffice.jobs import registry as jobs
from payments.models import InboxEvent

KEPT = timedelta(days=90)
BATCH = 500
MOST = 50_000
"""So many in one turn; the rest goes with the next one."""


def forget_ignored(*, most: int = MOST) -> int:
    """Delete the events that were ignored long ago; return how many.

    In short transactions, so that nobody waits for the lock of SQLite.
    """
    before, count = timezone.now() - KEPT, 0
    while count < most:
        keys = list(_ignored(before).order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        count += _ignored(before).filter(pk__in=keys).delete()[0]
    return count


def _ignored(before: datetime) -> QuerySet[InboxEvent]:
    return InboxEvent.objects.filter(state=InboxEvent.State.IGNORED, processed_at__lt=before)


jobs.every(
    seconds=24 * 3600,
    name="payments.forget_events",
    label=gettext_lazy("Forget old events that brought nothing"),
)(forget_ignored)
