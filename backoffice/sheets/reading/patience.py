"""How long a page waits for looks into files, and how many it takes at once.

One request may look several times: as the text is guessed, and as saved profiles read it. All of
its looks share one time, and a process has a few places for them, so that some large files never
keep all of its threads.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from django.utils.translation import gettext as _

from backoffice.sheets.errors import ReadError, refusal

ON_PROCESSOR: Final = 20
"""Seconds of a processor for one look; the longest workbook that is let in takes about half."""
ON_WALL: Final = 60
"""Seconds by the clock for all looks of a request, on a machine that is busy with others."""
AT_ONCE: Final = 2
QUEUE: Final = 10
"""Seconds that a look waits for its place."""

_places = threading.BoundedSemaphore(AT_ONCE)
_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def shared() -> Iterator[None]:
    """Let the looks of the block share one time; a block within another has no time of its own."""
    if _until.get() is not None:
        yield
        return
    token = _until.set(time.monotonic() + ON_WALL)
    try:
        yield
    finally:
        _until.reset(token)


@contextmanager
def look() -> Iterator[float]:
    """Take a place for one look, and give its seconds by the clock. Raises ReadError."""
    with shared():
        if not _places.acquire(timeout=QUEUE):
            raise ReadError(_("Other files are being looked into. Try again in a minute."))
        try:
            yield _left()
        finally:
            _places.release()


def _left() -> float:
    left = (_until.get() or 0) - time.monotonic()
    if left <= 0:
        raise refusal("slow")
    return left
