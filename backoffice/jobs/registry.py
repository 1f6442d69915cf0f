"""Handlers of jobs by kind, and functions that run every so many seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise

if TYPE_CHECKING:
    from backoffice.jobs.run import JobRun

    Handler = Callable[["JobRun"], dict[str, Any]]
    Function = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A function without arguments that workers call every `seconds`, one worker at a time."""

    name: str
    seconds: int
    function: "Function"
    label: str | Promise = ""


_handlers: "dict[str, Handler]" = {}
_not_again: set[str] = set()
_recurring: dict[str, Repeat] = {}


def handler(kind: str, *, again: bool = True) -> "Callable[[Handler], Handler]":
    """Register the decorated function for jobs of `kind`.

    It takes a JobRun and returns the job's result as plain JSON. It may be called again after a
    crash, so every effect of it must be idempotent or stand behind a checkpoint (`run.effect`).
    With `again=False` nobody may retry a job that failed or was cancelled: its app has its own way
    to begin anew.
    """

    def register(function: "Handler") -> "Handler":
        if kind in _handlers:
            msg = f"a handler for {kind} is registered already"
            raise ValueError(msg)
        _handlers[kind] = function
        if not again:
            _not_again.add(kind)
        return function

    return register


def every(
    *, seconds: int, name: str, label: str | Promise = ""
) -> "Callable[[Function], Function]":
    """Register the decorated function to run every `seconds` in the worker.

    `label` is what people read on the page of jobs; the name where there is none.
    """

    def register(function: "Function") -> "Function":
        _recurring[name] = Repeat(name, seconds, function, label)
        return function

    return register


def find(kind: str) -> "Handler":
    """Return the handler of `kind`; LookupError when its app is not installed."""
    try:
        return _handlers[kind]
    except KeyError:
        msg = f"no handler for jobs of kind {kind}"
        raise LookupError(msg) from None


def kinds() -> list[str]:
    """Return the kinds of jobs that there are."""
    return sorted(_handlers)


def may_run_again(kind: str) -> bool:
    """Say whether a person may retry jobs of this kind."""
    return kind in _handlers and kind not in _not_again


def recurring() -> list[Repeat]:
    """Return the recurring functions."""
    return list(_recurring.values())
