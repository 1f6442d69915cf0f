"""The staff pages: what the apps declared, and how the sources are."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from backoffice.policy import may
from backoffice.site import Badge, SitePage, navigation, staff_site
from backoffice.site.visitors import signed_in
from backoffice.sources import registry
from backoffice.sources.columns import Cell, Column
from backoffice.sources.fields import Field
from backoffice.sources.join import Joined, Line, Report, State, run
from backoffice.sources.models import SourceState
from backoffice.sources.runtime import Wanted
from backoffice.sources.spec import RestSource, SourcePage

LONGEST: Final = 100
"""Characters of a filter value; ids and countries are shorter."""
LAST_PAGE: Final = 10_000
BADGES: Final = {
    "up": Badge("quiet", _("Up")),
    "slow": Badge("wait", _("Slow")),
    "down": Badge("fail", _("Down")),
    "not_asked": Badge("rest", _("Not asked")),
    "": Badge("rest", _("Not asked yet")),
}


@dataclass(frozen=True, slots=True)
class Head:
    """A column head: `sort` is the address that sorts by it, "" where the source cannot."""

    column: Column
    label: str
    masked: bool
    sort: str = ""
    sorted: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A field of the filter bar with its present value."""

    field: Field
    value: str


class JoinedPage(SitePage):
    """A declared page, as staff see it."""

    declared: ClassVar[type[SourcePage]]
    template_name = "sources/joined.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Ask the sources; 503 when the rows themselves cannot be read."""
        wanted = _wanted(self.declared, request)
        joined = run(self.declared, wanted, user=signed_in(request))
        extra = _table(self.declared, wanted, joined) | {
            "sources": [_card(report) for report in joined.reports],
            "down": [_card(report) for report in joined.down],
            "health": _health_address(request),
        }
        return self.render(request, status=200 if joined.readable else 503, extra=extra)


class HealthPage(SitePage):
    """How every source was when the worker last asked."""

    path, name = "sources/", "sources"
    title = _("Sources")
    subtitle = _("Other systems that pages read from. The worker asks each twice a minute.")
    permission = "sources.view_sourcestate"
    template_name = "sources/health.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return each source with its last state and the pages that need it."""
        known = {state.name: state for state in SourceState.objects.all()}
        return {"sources": [_health(source, known) for source in registry.sources()]}


def _wanted(page: type[SourcePage], request: HttpRequest) -> Wanted:
    """Read the address; BadRequest (400) for what no link of the page leads to."""
    number = request.GET.get("page", "1")
    if not number.isdecimal() or not 0 < int(number) <= LAST_PAGE:
        raise BadRequest("page")
    sort = request.GET.get("sort", "")
    if sort and not _sortable(page, sort.removeprefix("-")):
        raise BadRequest("sort")
    filters = {
        field.name: value.strip()
        for field in _filters(page)
        if (value := request.GET.get(field.name, "")).strip()
    }
    if any(len(value) > LONGEST for value in filters.values()):
        raise BadRequest("filter")
    return Wanted(int(number), page.per_page, filters, sort)


def _filters(page: type[SourcePage]) -> list[Field]:
    return [field for field in page.rows.fields.values() if field.filter]


def _sortable(page: type[SourcePage], name: str) -> bool:
    field = page.rows.fields.get(name)
    return field is not None and field.sort


def _table(page: type[SourcePage], wanted: Wanted, joined: Joined) -> dict[str, Any]:
    heads = [_head(page, column, wanted) for column in page.columns]
    return {
        "page": page,
        "joined": joined,
        "heads": heads,
        "lines": [list(_shown(page, line)) for line in joined.lines],
        **_totals(heads, joined),
        "filters": [Filter(field, _value(wanted, field)) for field in _filters(page)],
        "filtered": bool(wanted.filters),
        "newer": _address(wanted, page=wanted.page - 1) if wanted.page > 1 else "",
        "older": _address(wanted, page=wanted.page + 1) if joined.more else "",
        "count": _count(wanted, joined),
    }


def _totals(heads: list[Head], joined: Joined) -> dict[str, Any]:
    """Return the cells below the table; the words before them take the columns without one."""
    first = next((at for at, total in enumerate(joined.totals) if total), 0)
    cells = [
        (head.label, head.column, total) for head, total in zip(heads, joined.totals, strict=True)
    ][first:]
    return {"totals": cells, "totals_from": first, "has_totals": bool(first and joined.lines)}


def _value(wanted: Wanted, field: Field) -> str:
    return (wanted.filters or {}).get(field.name, "")


def _shown(page: type[SourcePage], line: Line) -> Iterator[tuple[Column, Cell, bool]]:
    for column, cell in zip(page.columns, line.cells, strict=True):
        yield column, cell, _masked(page, column)


def _masked(page: type[SourcePage], column: Column) -> bool:
    return not column.lookup and page.rows.fields[column.name].mask is not None


def _head(page: type[SourcePage], column: Column, wanted: Wanted) -> Head:
    field = page.rows.fields.get(column.name)
    label = str(column.label or (field.label if field else column.name))
    if column.lookup or field is None or not field.sort:
        return Head(column, label, _masked(page, column))
    descending = wanted.sort == column.name
    now = {column.name: "ascending", f"-{column.name}": "descending"}.get(wanted.sort, "")
    sort = f"-{column.name}" if descending else column.name
    return Head(column, label, masked=False, sort=_address(wanted, sort=sort), sorted=now)


def _address(wanted: Wanted, *, page: int = 1, sort: str = "") -> str:
    """Return the query string of another page or order of the same rows."""
    parts = dict(wanted.filters or {}) | {"sort": sort or wanted.sort, "page": str(page)}
    return "?" + urlencode({name: value for name, value in parts.items() if value})


def _count(wanted: Wanted, joined: Joined) -> str:
    """Say which rows these are ("21-40 of 260"), and what they cost."""
    first = (wanted.page - 1) * wanted.per_page
    calls = ngettext("%(n)s call for this page", "%(n)s calls for this page", joined.calls) % {
        "n": joined.calls
    }
    if not joined.lines:
        return calls
    span = f"{first + 1} to {first + len(joined.lines)}"
    if joined.total is None:
        return f"{span} · {calls}"
    of = _("%(span)s of %(total)s") % {"span": span, "total": joined.total}
    return f"{of} · {calls}"


@dataclass(frozen=True, slots=True)
class Card:
    """A source at the head of a page. `since` is known where the worker found it down before."""

    source: RestSource
    badge: Badge
    report: Report
    since: datetime | None = None


def _card(report: Report) -> Card:
    since = None
    if report.state is State.DOWN:
        down = SourceState.objects.filter(name=report.source.name, state=SourceState.State.DOWN)
        since = down.values_list("since", flat=True).first()
    return Card(report.source, BADGES[report.state], report, since)


def _health_address(request: HttpRequest) -> str:
    allowed = may(signed_in(request), HealthPage.permission, None).allowed
    return reverse(f"{staff_site.name}:{HealthPage.name}") if allowed else ""


def _health(source: RestSource, known: dict[str, SourceState]) -> dict[str, Any]:
    state = known.get(source.name)
    pages = [page for page in registry.pages() if source in page.sources()]
    return {
        "source": source,
        "state": state,
        "badge": BADGES[state.state if state else ""],
        "pages": [(page.title, reverse(f"{staff_site.name}:{_name(page)}")) for page in pages],
    }


def _name(page: type[SourcePage]) -> str:
    return "sources_" + page.slug.replace("-", "_")


def _install(page: type[SourcePage]) -> None:
    """Give a declared page its address and its place in the sidebar."""
    options = {
        "declared": page,
        "path": f"sources/{page.slug}/",
        "name": _name(page),
        "title": page.title,
        "subtitle": page.subtitle,
        "permission": page.permission,
    }
    staff_site.add_page(type(f"{page.__name__}Page", (JoinedPage,), options))
    navigation.add(
        staff_site,
        group=_("Across systems"),
        label=page.label,
        icon=page.icon,
        url_name=_name(page),
        permission=page.permission,
        order=page.order,
    )


staff_site.add_page(HealthPage)
navigation.add(
    staff_site,
    group=_("Sources"),
    label=_("Sources"),
    icon="dns",
    url_name=HealthPage.name,
    permission=HealthPage.permission,
    order=65,
)
for _page in registry.pages():
    _install(_page)
