"""What clear values are used for by code: each purpose is registered once, with a text."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Purpose:
    """What code wants clear values for; `module` is the code that registered it."""

    name: str
    text: str | Promise
    module: str


_purposes: dict[str, Purpose] = {}
_counters: list[Callable[[str], None]] = []


class UnknownPurposeError(LookupError):
    """A clear value was asked for a purpose that nobody registered."""


def register(purpose: str, text: str | Promise) -> str:
    """Register `purpose` ("app.what_for") and return it; with another text it is an error."""
    module = str(sys._getframe(1).f_globals.get("__name__", ""))  # noqa: SLF001 - who calls
    known = _purposes.setdefault(purpose, Purpose(purpose, text, module))
    if known.text != text:
        msg = f"the purpose {purpose} is registered already"
        raise ValueError(msg)
    return purpose


def count_by(counter: Callable[[str], None]) -> None:
    """Let `counter(purpose)` count each use (called by the app when it is ready)."""
    _counters[:] = [counter]


def note(purpose: str) -> None:
    """Count a use of a clear value; raise UnknownPurposeError unless `purpose` is registered."""
    require(purpose)
    for counter in _counters:
        counter(purpose)


def require(purpose: str) -> None:
    """Raise UnknownPurposeError unless `purpose` is registered."""
    if purpose not in _purposes:
        msg = f"the purpose {purpose} is not registered"
        raise UnknownPurposeError(msg)


def registered() -> list[Purpose]:
    """Return the purposes by name."""
    return [purpose for _name, purpose in sorted(_purposes.items())]


def texts() -> dict[str, str]:
    """Return purpose -> text for people, sorted by purpose."""
    return {purpose.name: str(purpose.text) for purpose in registered()}
