"""Asking one source: pages, batches of keys, checked rows, and one kind of error.

Nothing is cut in silence: an answer that is not known to be complete is an error. A batch of keys
is paged by its backend like any other list (Datasette answers 500 keys with 100 rows and status
200), so its pages are followed to the end.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from backoffice.http import HttpError, Kind, Params, Response
from backoffice.sources.fields import Row, Value, WrongValueError
from backoffice.sources.spec import LinkHeader, PageNumber, Query, RestSource, SinglePage

MAX_URL: Final = 4000
"""Bytes of one address; servers refuse from 8 kB on."""
MAX_PAGES: Final = 50
"""Pages of one batch; more would mean that the backend does not filter by the keys."""
UNAUTHORISED: Final = frozenset({401, 403})


class SourceError(Exception):
    """A source gave no usable answer; `reason` is for people and holds nothing personal."""

    def __init__(self, source: RestSource, reason: str | Promise) -> None:
        super().__init__(source.name, str(reason))
        self.source = source
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows with their price: `calls` made, `slowest` of them in milliseconds."""

    rows: list[Row]
    calls: int
    slowest: int
    more: bool = False
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page of a query: number from 1, rows a page, backend filters by field, sort field."""

    page: int = 1
    per_page: int = 20
    filters: Mapping[str, str] | None = None
    sort: str = ""


def read_page(query: type[Query], wanted: Wanted, *, ends_at: float) -> Answer:
    """Return one page of a query; raises SourceError."""
    params = dict(_filters(query, wanted)) | _paging_params(query, wanted.page, wanted.per_page)
    if wanted.sort:
        descending = wanted.sort.startswith("-")
        origin = query.field(wanted.sort.removeprefix("-")).origin
        params[query.sort_param] = f"-{origin}" if descending else origin
    call = _Call(query, ends_at)
    response = call.get(query.path, params)
    rows = call.rows(response)
    if len(rows) > wanted.per_page and not isinstance(query.paginate, SinglePage):
        raise SourceError(query.source, _("sent more rows than were asked for"))
    more = call.following(response, rows, wanted.page, wanted.per_page) is not None
    return Answer(rows, call.calls, call.slowest, more, _total(query, response))


def read_keys(query: type[Query], name: str, keys: Sequence[str], *, ends_at: float) -> Answer:
    """Return every row whose field `name` is one of `keys`; raises SourceError.

    The keys must fit into one call, see `chunks`.
    """
    call = _Call(query, ends_at)
    rows: list[Row] = []
    total: int | None = None
    for part, response in _pages(call, {query.field(name).batch: ",".join(keys)}):
        rows += part
        total = _total(query, response)
    if total is not None and total != len(rows):
        raise SourceError(query.source, _("sent fewer rows than it says it has"))
    asked = set(keys)
    if any(str(row[name]) not in asked for row in rows):
        raise SourceError(query.source, _("sent rows that were not asked for"))
    return Answer(rows, call.calls, call.slowest)


def chunks(query: type[Query], keys: Sequence[str], most: int) -> list[list[str]]:
    """Split the keys so that a call has at most `most` of them and an address of MAX_URL bytes."""
    if any("," in key for key in keys):
        raise SourceError(query.source, _("has a key with a comma in it"))
    room = MAX_URL - len(query.source.base_url()) - len(query.path) - 100
    parts: list[list[str]] = [[]]
    size = 0
    for key in keys:
        cost = len(quote(key, safe="")) + len("%2C")
        if parts[-1] and (len(parts[-1]) >= most or size + cost > room):
            parts.append([])
            size = 0
        parts[-1].append(key)
        size += cost
    return [part for part in parts if part]


def probe(source: RestSource) -> int:
    """Return the milliseconds that the source's health address took; raises SourceError."""
    try:
        return source.client().get(source.health_path).elapsed_ms
    except (HttpError, ValueError) as error:
        raise SourceError(source, in_words(error)) from None


class _Call:
    """The calls of one question to one source, with the deadline they share."""

    def __init__(self, query: type[Query], ends_at: float) -> None:
        self.query = query
        self.ends_at = ends_at
        self.calls = 0
        self.slowest = 0
        try:
            self.client = query.source.client()
        except ValueError as error:
            raise SourceError(query.source, in_words(error)) from None

    def get(self, path: str, params: Params) -> Response:
        """Ask once; the deadline is the sooner of the page's and the source's own."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise SourceError(self.query.source, _("did not answer in time"))
        self.calls += 1
        try:
            response = self.client.get(
                path, params=params, deadline=min(left, self.query.source.deadline)
            )
        except HttpError as error:
            raise SourceError(self.query.source, in_words(error)) from None
        self.slowest = max(self.slowest, response.elapsed_ms)
        return response

    def rows(self, response: Response) -> list[Row]:
        """Return the checked and masked rows of an answer."""
        try:
            body = response.json()
        except HttpError as error:
            raise SourceError(self.query.source, in_words(error)) from None
        if self.query.rows:
            body = body.get(self.query.rows) if isinstance(body, dict) else None
        if not isinstance(body, list):
            raise SourceError(self.query.source, _("sent data of another shape: no list of rows"))
        return [self._row(number, raw) for number, raw in enumerate(body)]

    def _row(self, number: int, raw: Any) -> Row:
        if not isinstance(raw, dict):
            raise SourceError(
                self.query.source, _("sent data of another shape: a row is no record")
            )
        values: dict[str, Value] = {}
        for name, field in self.query.fields.items():
            try:
                values[name] = field.read(raw)
            except WrongValueError as error:
                where = f"{self.query.path.strip('/')}[{number}].{field.origin}"
                raise SourceError(self.query.source, _misfit(where, error)) from None
        return values

    def following(
        self, response: Response, rows: Sequence[Row], number: int, size: int
    ) -> str | None:
        """Return where the next page is, None at the end; SourceError when nobody can know."""
        match self.query.paginate:
            case LinkHeader():
                try:
                    return self.client.next_link(response)
                except HttpError as error:
                    raise SourceError(self.query.source, in_words(error)) from None
            case PageNumber():
                return str(number + 1) if len(rows) >= size else None
            case SinglePage(per_page=limit):
                if len(rows) >= limit:
                    raise SourceError(
                        self.query.source, _("sent a full page and no way to the next")
                    )
                return None


def _pages(call: _Call, asked: dict[str, str]) -> Iterator[tuple[list[Row], Response]]:
    """Give the rows of each page until the last one."""
    query = call.query
    size = query.paginate.per_page
    path, params = query.path, asked | _paging_params(query, 1, size)
    for number in range(1, MAX_PAGES + 1):
        response = call.get(path, params)
        rows = call.rows(response)
        yield rows, response
        following = call.following(response, rows, number, size)
        if following is None:
            return
        if isinstance(query.paginate, LinkHeader):
            path, params = following, {}
        else:
            params = asked | _paging_params(query, number + 1, size)
    raise SourceError(query.source, _("has more pages than can be right"))


def _paging_params(query: type[Query], number: int, size: int) -> dict[str, str]:
    rule = query.paginate
    if isinstance(rule, SinglePage):
        return {}
    return {rule.page: str(number), rule.size: str(size)}


def _filters(query: type[Query], wanted: Wanted) -> Iterator[tuple[str, str]]:
    for name, value in (wanted.filters or {}).items():
        yield query.field(name).filter, value


def _total(query: type[Query], response: Response) -> int | None:
    """Return the count of all rows where the source says it."""
    if isinstance(query.paginate, SinglePage) or not query.paginate.total:
        return None
    text = response.headers.get(query.paginate.total, "")
    return int(text) if text.isdecimal() else None


def _misfit(where: str, error: WrongValueError) -> Promise:
    return format_lazy(
        "{shape}: {where} {problem}",
        shape=_("sent data of another shape"),
        where=where,
        problem=error.args[0],
    )


def in_words(error: HttpError | ValueError) -> str | Promise:
    """Return what to tell people; without address, header and body."""
    if not isinstance(error, HttpError):
        return _("is set up with a wrong address")
    if error.status in UNAUTHORISED:
        return _("does not accept our sign-in")
    if error.status:
        return format_lazy(_("answered with an error ({status})"), status=error.status)
    return {
        Kind.REFUSED: _("does not answer"),
        Kind.BROKEN: _("broke off its answer"),
        Kind.TIMEOUT: _("did not answer in time"),
        Kind.TOO_LARGE: _("sent more data than allowed"),
        Kind.BAD_JSON: _("sent something that is no data"),
        Kind.STATUS: _("answered with an error"),
    }[error.kind]
