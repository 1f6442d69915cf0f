"""Two imports of the same kind of records take turns, so that their rows never mix.

An import takes the lane of every model that it writes before its first chunk and renews them with
each one. A lane whose holder has ended, or that was not renewed for long, is free.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.jobs.run import LostError
from backoffice.sheets.models import ImportJob, ImportLane
from backoffice.sheets.writing.engine import TakenOverError

_PAUSE: Final = 0.3
_PATIENCE: Final = 3
"""So many times the span after which a job counts as lost, a lane may go without renewal."""


class LostLaneError(Exception):
    """Another import has the lane meanwhile."""


def take(
    job: ImportJob, keys: Sequence[str], waiting: Callable[[str], None], fence: Callable[[], None]
) -> None:
    """Take the lanes in one order for everybody; waits until they are free.

    `waiting` is called with words again and again: it may raise to end the waiting.
    """
    for key in sorted(set(keys)):
        ImportLane.objects.get_or_create(key=key)
        while not _taken(job, key):
            fence()
            waiting(_("Waits for another import of the same records."))
            time.sleep(_PAUSE)


def _taken(job: ImportJob, key: str) -> bool:
    now = timezone.now()
    old = now - timedelta(seconds=_PATIENCE * settings.BACKOFFICE_JOB_LOST_AFTER)
    busy = (ImportJob.State.RUNNING, ImportJob.State.UNDOING)
    free = Q(import_job=None) | Q(import_job=job) | Q(taken_at__lt=old)
    free |= ~Q(import_job__state__in=busy)
    lane = ImportLane.objects.filter(key=key)
    holder = lane.values_list("import_job_id", flat=True).get()
    if not lane.filter(free).exists():
        return False
    # The condition names the holder that was seen: of two who look at once, one wins.
    seen = lane.filter(import_job=holder) if holder else lane.filter(import_job=None)
    return bool(seen.filter(free).update(import_job=job, taken_at=now))


def renew(job: ImportJob, keys: Sequence[str]) -> None:
    """Keep the lanes, inside the transaction of a chunk. Raises LostLaneError."""
    wanted = set(keys)
    mine = ImportLane.objects.filter(key__in=wanted, import_job=job)
    if mine.update(taken_at=timezone.now()) != len(wanted):
        raise LostLaneError


def leave(job: ImportJob) -> None:
    """Give up every lane of the import."""
    ImportLane.objects.filter(import_job=job).update(import_job=None, taken_at=None)


@contextmanager
def held(
    job: ImportJob, keys: Sequence[str], waiting: Callable[[str], None], fence: Callable[[], None]
) -> Iterator[None]:
    """Hold the lanes for the block."""
    take(job, keys, waiting, fence)
    try:
        yield
    except (LostError, TakenOverError, LostLaneError):
        raise  # whoever has the import now has its lanes
    except BaseException:
        leave(job)
        raise
    leave(job)
