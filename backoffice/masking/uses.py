"""How often code used clear values, counted in one row a purpose and day.

A use is counted in memory and written when the running transaction commits (at once outside of
one), so a job that uses ten thousand values writes a single row, and no transaction waits for
another one's count. What a rollback took back is written with the next commit: it was used. What a
process counted and did not write when it was killed is lost; the log has a line for each use.
"""

import datetime as dt
from collections import Counter
from threading import Lock

from django.db import transaction
from django.db.models import F, Max, Sum
from django.utils import timezone

from backoffice.masking.models import PurposeUse

# The page tells of so many days, today included.
DAYS = 30

_pending: Counter[tuple[str, dt.date]] = Counter()
_lock = Lock()


def count(purpose: str) -> None:
    """Count one use of a clear value for `purpose`."""
    with _lock:
        _pending[purpose, _today()] += 1
    transaction.on_commit(write, robust=True)


def write() -> None:
    """Add what was counted to the rows; nothing is lost when the database refuses."""
    with _lock:
        taken = dict(_pending)
        _pending.clear()
    if not taken:
        return
    try:
        with transaction.atomic():
            for (purpose, day), more in sorted(taken.items()):
                PurposeUse.objects.get_or_create(purpose=purpose, day=day)
                row = PurposeUse.objects.filter(purpose=purpose, day=day)
                row.update(count=F("count") + more)
    except BaseException:
        with _lock:
            _pending.update(taken)
        raise


def of_late() -> dict[str, tuple[int, dt.date]]:
    """Return purpose -> how often within DAYS, and the last day; one query."""
    since = _today() - dt.timedelta(days=DAYS - 1)
    rows = PurposeUse.objects.filter(day__gte=since).order_by().values("purpose")
    sums = rows.annotate(uses=Sum("count"), last=Max("day"))
    return {row["purpose"]: (row["uses"], row["last"]) for row in sums}


def _today() -> dt.date:
    return timezone.now().astimezone(dt.UTC).date()
