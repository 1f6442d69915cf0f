"""One page across systems: the rows of one source, stitched with what the others know of them.

The first source is asked for one page; the keys of that page go to the others in batches, all at
once, within the seconds that the page has. A source that fails takes its own cells with it and
nothing else.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.policy import may
from backoffice.sources.columns import Cell, Column
from backoffice.sources.fields import Row
from backoffice.sources.runtime import Answer, SourceError, Wanted, chunks, read_keys, read_page
from backoffice.sources.spec import Lookup, RestSource, SourcePage

THREADS: Final = 8


class State(StrEnum):
    """How a source did for this page."""

    UP = "up"
    SLOW = "slow"
    DOWN = "down"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True, slots=True)
class Report:
    """How one source did: `took` the slowest call in milliseconds, `reason` where it failed."""

    source: RestSource
    state: State = State.NOT_ASKED
    took: int = 0
    calls: int = 0
    read_at: datetime | None = None
    reason: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table: its key and one cell a column."""

    key: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Joined:
    """The page: `lines` is empty when the first source is down, which `complete` tells apart."""

    lines: list[Line]
    totals: list[Cell | None]
    reports: list[Report]
    more: bool = False
    total: int | None = None

    @property
    def down(self) -> list[Report]:
        """The sources that gave no answer."""
        return [report for report in self.reports if report.state is State.DOWN]

    @property
    def readable(self) -> bool:
        """Tell whether the rows themselves could be read."""
        return self.reports[0].state is not State.DOWN

    @property
    def calls(self) -> int:
        """How many requests the page cost."""
        return sum(report.calls for report in self.reports)


def run(page: type[SourcePage], wanted: Wanted, *, user: User) -> Joined:
    """Return the page for `user`; raises PermissionDenied, never an error of a source."""
    if not may(user, page.permission, None).allowed:
        raise PermissionDenied
    ends_at = time.monotonic() + page.budget
    reports = {source: Report(source) for source in page.sources()}
    with _threads() as ask:
        first = ask(lambda: read_page(page.rows, wanted, ends_at=ends_at))
        _settle([first], ends_at)
        answer = _taken(first, page.rows.source, reports)
        if answer is None:
            return Joined([], [None for _column in page.columns], list(reports.values()))
        looked_up = _look_up(page, answer.rows, ask, ends_at, reports)
    lines = [_line(page, row, looked_up) for row in answer.rows]
    totals = [_total(column, lines, at) for at, column in enumerate(page.columns)]
    return Joined(lines, totals, list(reports.values()), answer.more, answer.total)


type Ask = Callable[[Callable[[], Answer]], Future[Answer]]
type Reports = dict[RestSource, Report]
type Groups = Mapping[str, Sequence[Row]]


@contextmanager
def _threads() -> Iterator[Ask]:
    """Give a function that starts a call beside the others.

    A thread that hangs (looking up a name has no timeout) is left behind, not waited for.
    """
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="source")
    try:
        yield lambda call: pool.submit(copy_context().run, call)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _settle(futures: Sequence[Future[Answer]], ends_at: float) -> None:
    wait(futures, timeout=max(ends_at - time.monotonic(), 0))


@dataclass(frozen=True, slots=True)
class _Found:
    """What a lookup knows: rows by key, and the keys it could not be asked for."""

    rows: Groups = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    def of(self, key: str) -> Sequence[Row] | None:
        """Return the rows of a key, None where nobody knows."""
        return None if key in self.unknown else self.rows.get(key, ())


def _look_up(
    page: type[SourcePage], rows: Sequence[Row], ask: Ask, ends_at: float, reports: Reports
) -> dict[str, _Found]:
    """Ask every lookup for the keys of the page, all at once."""
    started = {
        name: _start(lookup, _keys(lookup, rows), ask, ends_at, reports)
        for name, lookup in page.lookups.items()
    }
    _settle([future for parts in started.values() for future, _keys in parts], ends_at)
    return {name: _gather(page.lookups[name], parts, reports) for name, parts in started.items()}


type _Parts = list[tuple[Future[Answer], list[str]]]


def _keys(lookup: Lookup, rows: Sequence[Row]) -> list[str]:
    values = (row[lookup.on[0]] for row in rows)
    return list(dict.fromkeys(str(value) for value in values if value is not None))


def _start(
    lookup: Lookup, keys: Sequence[str], ask: Ask, ends_at: float, reports: Reports
) -> _Parts:
    try:
        parts = chunks(lookup.query, keys, lookup.max_keys)
    except SourceError as error:
        failed: Future[Answer] = Future()
        failed.set_exception(error)
        return [(failed, list(keys))]

    def question(part: list[str]) -> Callable[[], Answer]:
        return lambda: read_keys(lookup.query, lookup.on[1], part, ends_at=ends_at)

    return [(ask(question(part)), part) for part in parts]


def _gather(lookup: Lookup, parts: _Parts, reports: Reports) -> _Found:
    rows: dict[str, list[Row]] = defaultdict(list)
    unknown: set[str] = set()
    for future, keys in parts:
        answer = _taken(future, lookup.query.source, reports)
        if answer is None:
            unknown.update(keys)
            continue
        for row in answer.rows:
            rows[str(row[lookup.on[1]])].append(row)
    return _Found(rows, frozenset(unknown))


def _taken(future: Future[Answer], source: RestSource, reports: Reports) -> Answer | None:
    """Return the answer and report how the source did; None when it gave none."""
    try:
        answer = future.result(timeout=0)
    except SourceError as error:
        _fail(error, reports)
        return None
    except TimeoutError:
        _fail(SourceError(source, _("did not answer in time")), reports)
        return None
    before = reports[source]
    took = max(before.took, answer.slowest)
    state = State.SLOW if took > source.slow_after else State.UP
    if before.state is State.DOWN:
        state = State.DOWN
    reports[source] = replace(
        before, state=state, took=took, calls=before.calls + answer.calls, read_at=timezone.now()
    )
    return answer


def _fail(error: SourceError, reports: Reports) -> None:
    before = reports[error.source]
    reports[error.source] = replace(
        before, state=State.DOWN, reason=error.reason, calls=before.calls + 1
    )


def _line(page: type[SourcePage], row: Row, looked_up: Mapping[str, _Found]) -> Line:
    related = {
        name: found.of(str(row[page.lookups[name].on[0]])) for name, found in looked_up.items()
    }
    return Line(
        str(row[page.rows.key().name]), [column.cell(row, related) for column in page.columns]
    )


def _total(column: Column, lines: Sequence[Line], at: int) -> Cell | None:
    return column.total(line.cells[at] for line in lines)
