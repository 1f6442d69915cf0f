"""Files of an export. What writes them is registered, since `backoffice.sheets` may be left out.

A list with more rows than go at once is handed to who writes it later, as a job.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from backoffice.site.extracts import Asked, Extract

# writer(file name without ending, heads, rows) -> answer
Writer = Callable[[str, list[str], Iterable[Any]], HttpResponseBase]
# later(request, what was asked for, how many rows) -> answer
Later = Callable[[HttpRequest, Asked, int], HttpResponseBase]

_writers: dict[str, Writer] = {}
_later: list[Later] = []


def register(kind: str, writer: Writer) -> None:
    """Offer `kind` ("csv", "xlsx", "json") in the exports of every list."""
    _writers[kind] = writer


def register_later(start: Later) -> None:
    """Let `start` take the exports of lists that are too long to be written at once."""
    _later[:] = [start]


def kinds() -> list[str]:
    """Return the kinds on offer, in the order of their registration."""
    return list(_writers)


def at_once() -> int:
    """Return how many rows are written while the person waits."""
    return int(getattr(settings, "BACKOFFICE_EXPORT_AT_ONCE", 5000))


def later(rows: int) -> Later | None:
    """Return who writes so many rows; None when they go at once."""
    return _later[0] if _later and rows > at_once() else None


def file(kind: str, name: str, heads: list[str], rows: Iterable[Any]) -> HttpResponseBase:
    """Return a file of `kind` with these heads and rows."""
    return _writers[kind](name, heads, rows)


def response(extract: Extract, kind: str) -> HttpResponseBase:
    """Return the file of the rows of a list; masked values as masks."""
    return file(kind, str(extract.page.opts.model_name), extract.heads_for(kind), extract)
