"""What is known of the request or job that is running, without a request object at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from: `address` an IP or "", `session` a short hash or ""."""

    request_id: str = ""
    address: str = ""
    session: str = ""


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
