"""Imports that are all or nothing: kept from starting, in one short write, or taken back.

Whether a run fits into one write is an estimate by its way; a longer one is written in chunks and,
when it fails or is stopped, undone by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.jobs import registry
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import ImportJob
from backoffice.sheets.services import StateError
from backoffice.sheets.undoing import undo
from backoffice.sheets.writing.ways import Way

SHORT: Final = 2.0
"""How many seconds one write may keep others waiting."""
_SECONDS: Final = {Way.FAST: 0.00003, Way.BULK: 0.0003, Way.ROWS: 0.005}
"""What one record takes, on a small machine."""
_OVER: Final = (ImportJob.State.FAILED, ImportJob.State.CANCELLED)


def require_possible(job: ImportJob) -> None:
    """Raise ReadError for an import that is all or nothing and cannot bring in all."""
    failed = int(job.summary.get("failed", 0))
    if job.whole and failed and not job.step:
        raise ReadError(_failed(failed))


def _failed(count: int) -> str:
    text = _("All or nothing: %(count)s rows cannot be taken, so nothing was written.")
    return text % {"count": count}


def is_short(job: ImportJob) -> bool:
    """Whether the import is written at once."""
    if not job.whole or job.step:
        return False
    ways = {name: Way(one["way"]) for name, one in job.ways.items()}
    seconds: float = sum(
        sum(counts.values()) * _SECONDS[ways.get(name, Way.BULK)]
        for name, counts in job.summary.get("datasets", {}).items()
    )
    return bool(seconds <= SHORT)


@contextmanager
def kept(job: ImportJob) -> Iterator[None]:
    """Write the block as a whole where it is to be one.

    Raises ReadError when rows were refused that the check had taken.
    """
    if is_short(job):
        with transaction.atomic():
            yield
            _require_all(job)
        return
    yield
    _require_all(job)


def _require_all(job: ImportJob) -> None:
    failed = job.total("failed")
    if job.whole and failed:
        raise ReadError(_failed(failed))


def take_back(job: ImportJob) -> None:
    """Undo an import that was all or nothing and has ended before all was written."""
    if not job.whole or job.state not in _OVER or not job.spans.exists():
        return
    try:
        undo.begin(job, actor=job.owner, by_itself=True)
    except StateError:
        return


@registry.every(
    seconds=30, name="sheets.take_back", label=gettext_lazy("Undo imports that were all or nothing")
)
def take_back_all() -> None:
    """Undo those whose worker ended before it could."""
    for job in ImportJob.objects.filter(whole=True, state__in=_OVER, undo=None, step__gt=0):
        take_back(job)
