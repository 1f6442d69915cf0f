"""What is known of the request or job that is running, without a request object at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from: `address` an IP or "", `session` a short hash or "".

    `real_actor_id` is the key of the user who acts in the name of another one, or None; `token`
    the prefix of the token by which a program is in, or "".
    """

    request_id: str = ""
    address: str = ""
    session: str = ""
    real_actor_id: int | None = None
    token: str = ""


_NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=_NOWHERE)


def current() -> Origin:
    """Return the origin of what runs now (empty outside requests and jobs)."""
    return _origin.get()


@contextmanager
def origin(value: Origin) -> Iterator[None]:
    """Set the origin for the block."""
    token = _origin.set(value)
    try:
        yield
    finally:
        _origin.reset(token)


def note_token(prefix: str) -> None:
    """Name the token by which the running request is in, until the request's own origin ends."""
    _origin.set(replace(current(), token=prefix))


@contextmanager
def in_the_name_of_another(real_actor_id: int) -> Iterator[None]:
    """Within the block every event also names this user as the one who really acts."""
    with origin(replace(current(), real_actor_id=real_actor_id)):
        yield
