"""Where the chain stands, for the head of the page Activity; cheap enough for every look at it.

It says how far the record is linked and anchored, not that it is unbroken: only
`manage.py audit verify` computes the links anew.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from backoffice.audit import anchors, chain, triggers
from backoffice.audit.anchors import Anchor, AnchorError
from backoffice.audit.models import Event

# More waiting events than this are not counted one by one.
_MANY = 1000


@dataclass(frozen=True, slots=True)
class State:
    """The last link (`position`, `hash`, `until`), events that wait, the last anchor, the guards.

    `guarded` is False when the database would let rows be changed.
    """

    position: int
    hash: str
    until: datetime | None
    waiting: int
    anchor: Anchor | None
    guarded: bool

    @property
    def many(self) -> bool:
        """Whether more wait than were counted."""
        return self.waiting > _MANY


def now() -> State:
    """Return the state; four queries, none of which reads a whole table."""
    head = chain.head()
    newer = Event.objects.filter(pk__gt=chain.newest_key()).order_by().values("pk")
    return State(
        head.position,
        head.hash,
        head.until,
        newer[: _MANY + 1].count(),
        _last_anchor(),
        not triggers.missing(connection),
    )


def _last_anchor() -> Anchor | None:
    """Return the newest anchor of the settings' file, None without one or when it is unreadable."""
    path = anchors.default_file()
    if path is None or not path.exists():
        return None
    last = None
    try:
        for last in anchors.read(path):  # noqa: B007 - the last line is what is wanted
            pass
    except (AnchorError, OSError):
        return None
    return last
