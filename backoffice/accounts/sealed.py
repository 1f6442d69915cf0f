"""Which rows hold values that the key ring sealed, and sealing them anew with the newest key.

    sealed.register("mails", Mail, lambda row, change: {"sealed": change(row.sealed, row.use)})

The function gets a row and `change(sealed, use)`, and returns the row's new values. It goes row by
row, each in a transaction of its own: whoever stops it half way, or kills it, runs it again; both
keys open their values meanwhile.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from backoffice import keyring
from backoffice.accounts import sealing
from backoffice.audit import verbs
from backoffice.audit.services import record

ROTATED = verbs.register("keys.rotated", gettext_lazy("Secrets sealed with the newest key"))
type Change = Callable[[str, str], str]
type Rewrite = Callable[[Any, Change], dict[str, Any]]
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Holder:
    """A table with sealed values: how one row is written anew, and which rows there are."""

    name: str
    model: type[Model]
    rewrite: Rewrite
    narrow: Callable[[], Q]


@dataclass(slots=True)
class State:
    """What a table holds: values by the id of their key, and those that no key opens."""

    by_key: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0

    @property
    def old(self) -> int:
        """How many are not sealed with the newest key."""
        return sum(n for key, n in self.by_key.items() if key != keyring.newest_id())


@dataclass(frozen=True, slots=True)
class Table:
    """Sealed values whose own app looks after them: what they hold, and sealing them anew."""

    check: Callable[[], State]
    rotate: Callable[[], int]


_holders: dict[str, Holder] = {}
_tables: dict[str, Table] = {}


def register(name: str, model: type[Model], rewrite: Rewrite, narrow: Callable[[], Q] = Q) -> None:
    """Let the rows of `model` that `narrow()` selects be sealed anew by `rewrite`."""
    _holders[name] = Holder(name, model, rewrite, narrow)


def register_table(name: str, check: Callable[[], State], rotate: Callable[[], int]) -> None:
    """Let an app that rotates its own values, in batches say, be asked and told with the others."""
    _tables[name] = Table(check, rotate)


def holders() -> list[Holder]:
    """Return the tables by name."""
    return [_holders[name] for name in sorted(_holders)]


def check() -> dict[str, State]:
    """Return what each table holds; every value is opened once."""
    looked = {holder.name: _look(holder) for holder in holders()}
    return looked | {name: table.check() for name, table in sorted(_tables.items())}


def _look(holder: Holder) -> State:
    state = State()

    def look(sealed: str, use: str) -> str:
        try:
            keyring.open_sealed(sealed, use=use)
        except keyring.UnreadableError:
            state.unreadable += 1
        else:
            state.by_key[keyring.id_of(sealed)] += 1
        return sealed

    for key in _keys(holder):
        row = _rows(holder).filter(pk=key).first()
        if row is not None and not _read(holder, row, look):
            state.unreadable += 1
    return state


def rotate(*, actor: Any = None) -> dict[str, int]:
    """Seal every value anew that an older key sealed; return how many rows a table.

    What no key opens is left as it is: `check` counts it.
    """
    done = {holder.name: 0 for holder in holders()}
    for holder in holders():
        for key in _keys(holder):
            done[holder.name] += _renew(holder, key)
    done |= {name: table.rotate() for name, table in sorted(_tables.items())}
    record(ROTATED, actor=actor, context={"key": keyring.newest_id(), "rows": done})
    return done


def _renew(holder: Holder, key: Any) -> int:
    """Seal one row anew under its lock, so that nobody's change is lost; 1 when it was needed."""
    renewed = 0

    def change(sealed: str, use: str) -> str:
        nonlocal renewed
        if keyring.is_current(sealed):
            return sealed
        try:
            text = keyring.open_sealed(sealed, use=use)
        except keyring.UnreadableError:
            return sealed
        renewed += 1
        return keyring.seal(text, use=use)

    with transaction.atomic():
        row = _rows(holder).select_for_update().filter(pk=key).first()
        values = _read(holder, row, change) if row is not None else {}
        if renewed:
            _rows(holder).filter(pk=key).update(**values)
    return min(renewed, 1)


def _read(holder: Holder, row: Model, change: Change) -> dict[str, Any]:
    """Return the row's new values; none for one that cannot even be taken apart."""
    try:
        return holder.rewrite(row, change)
    except (signing.BadSignature, ValueError, UnicodeError):
        return {}


def _rows(holder: Holder) -> QuerySet[Model]:
    return holder.model._default_manager.filter(holder.narrow())


def _keys(holder: Holder) -> Iterator[Any]:
    """Yield the keys of the rows, a batch at a time: rows may come and go meanwhile."""
    rows = _rows(holder).order_by("pk").values_list("pk", flat=True)
    keys = list(rows[:_BATCH])
    while keys:
        yield from keys
        keys = list(rows.filter(pk__gt=keys[-1])[:_BATCH])


class _AsItIs:
    """Serializes the sealed text of a session as what it is."""

    def dumps(self, obj: str) -> bytes:
        """Return the sealed text."""
        return obj.encode("ascii")

    def loads(self, data: bytes) -> str:
        """Return the sealed text."""
        return data.decode("ascii")


def _session(row: Session, change: Change) -> dict[str, Any]:
    salt = SessionStore().key_salt
    sealed: str = signing.loads(row.session_data, salt=salt, serializer=_AsItIs)
    renewed = change(sealed, sealing.USE)
    data = signing.dumps(renewed, salt=salt, serializer=_AsItIs, compress=True)
    return {"session_data": data}


def _alive() -> Q:
    return Q(expire_date__gt=timezone.now())


register("sessions", Session, _session, _alive)
