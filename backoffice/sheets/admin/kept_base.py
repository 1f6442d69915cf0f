"""What the pages of kept sheets, joins and charts share."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.accounts import rates
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.policy import scope
from backoffice.sheets.kept import asking, keeping
from backoffice.sheets.kept.asking import BadFilterError, Filter, Found, Wanted
from backoffice.sheets.kept.columns import Column
from backoffice.sheets.kept.frames import Frame
from backoffice.sheets.models import KeptChart, KeptJoin, KeptSheet
from backoffice.site import Badge, SitePage, dialogs, staff_site, writers
from backoffice.site.visitors import signed_in

type Thing = KeptSheet | KeptJoin | KeptChart
_LAST: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column: `sort` is the address that sorts by it, "" where nothing does."""

    column: Column
    sort: str
    sorted: str


class UnopenedError(Exception):
    """A join cannot be opened now; the message is for the person."""

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


class KeptPage(SitePage):
    """A page about kept things, for those who may see them."""

    permission = keeping.VIEW

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Say in words why a join, or a chart of it, cannot be opened."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except UnopenedError as error:
            context = {
                **self.site.each_context(request),
                "title": _("Join"),
                "action": {"label": _("Join")},
                "why_not": str(error),
                "back_url": reverse("admin:kept"),
                "dialog_base": "backoffice/page.html",
            }
            template = "backoffice/refused.html"
            return TemplateResponse(request, template, context, status=error.status)

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the list of kept sheets."""
        return [(_("Kept sheets"), reverse("admin:kept"))]


def address(name: str, thing: Thing) -> str:
    """Return the address of a page of a kept thing."""
    return reverse(f"{staff_site.name}:{name}", args=[thing.public_id])


def sheet_of(request: HttpRequest, number: uuid.UUID | str) -> KeptSheet:
    """Return a kept sheet that exists for the person. Raises Http404."""
    rows = scope(signed_in(request), KeptSheet.objects.select_related("owner", "job"))
    kept: KeptSheet = _found(rows, number)
    return kept


def join_of(request: HttpRequest, number: uuid.UUID | str) -> KeptJoin:
    """Return a join that exists for the person. Raises Http404."""
    rows = scope(signed_in(request), KeptJoin.objects.select_related("owner", "left", "right"))
    join: KeptJoin = _found(rows, number)
    return join


def chart_of(request: HttpRequest, number: uuid.UUID | str) -> KeptChart:
    """Return a chart whose sheet or join exists for the person. Raises Http404."""
    rows = KeptChart.objects.select_related("owner", "sheet", "join", "join__left", "join__right")
    chart: KeptChart = _found(rows, number)
    if chart.sheet is not None:
        sheet_of(request, chart.sheet.public_id)
    if chart.join is not None:
        join_of(request, chart.join.public_id)
    return chart


def _found(rows: Any, number: uuid.UUID | str) -> Any:
    try:
        key = uuid.UUID(str(number))
    except ValueError:
        raise Http404 from None
    thing = rows.filter(public_id=key).first()
    if thing is None:
        raise Http404
    return thing


def badge_of(kept: KeptSheet) -> Badge:
    """Return the state of a kept sheet as a badge."""
    state = KeptSheet.State(kept.state)
    kinds: dict[str, Any] = {"loading": "move", "ready": "quiet", "failed": "fail"}
    return Badge(kinds[state], str(state.label))


def is_mine(request: HttpRequest, thing: Thing) -> bool:
    """Say whether the person may change it."""
    return thing.owner_id == request.user.pk and request.user.has_perm(keeping.ADD)


def wanted_of(query: QueryDict) -> Wanted:
    """Read filters, order and place from an address. Raises BadRequest."""
    start = query.get("at", "0")
    texts = query.getlist("f")
    if not (start.isdecimal() and int(start) < _LAST) or len(texts) > asking.MOST_FILTERS:
        raise BadRequest
    try:
        filters = tuple(map(Filter.of, texts))
    except BadFilterError:
        raise BadRequest from None
    return Wanted(filters, query.get("sort", ""), int(start))


def found_in(frame: Frame, query: QueryDict) -> Found:
    """Return the rows that an address asks for. Raises BadRequest."""
    try:
        return asking.ask(frame, wanted_of(query))
    except BadFilterError:
        raise BadRequest from None


def added_filter(frame: Frame, query: QueryDict) -> tuple[str, str]:
    """Return (address with the filter that the form above a table adds, what is wrong with it)."""
    ref, how, value = query.get("by", ""), query.get("how", ""), query.get("value", "").strip()
    more = query.copy()
    for name in ("by", "how", "value", "at"):
        more.pop(name, None)
    try:
        one = _typed(frame, ref, how, value)
    except (BadFilterError, LookupError):
        text = _("“%(how)s” does not go with this column, or the value is none of its kind.")
        return "", text % {"how": asking.HOWS.get(how, how)}
    if str(one) not in more.getlist("f"):
        more.appendlist("f", str(one))
    return f"?{more.urlencode()}", ""


def _typed(frame: Frame, ref: str, how: str, value: str) -> Filter:
    """Return a filter that goes with its column. Raises BadFilterError, LookupError."""
    one, column = Filter.of(f"{ref}:{how}:{value}"), frame.column(ref)
    if how not in asking.hows(column) or not (one.value or how in {"empty", "filled"}):
        raise BadFilterError(ref)
    if one.value:
        one.test(column)
    return one


def table(found: Found, query: QueryDict) -> dict[str, Any]:
    """Return what the table of a page shows. No clear value of a masked column is in it."""
    wanted, frame = found.wanted, found.frame
    end = min(wanted.start + asking.PAGE, found.size)
    totals = found.totals()
    return {
        "heads": [_head(column, wanted, query) for column in frame.columns],
        "lines": found.page(),
        "totals": [totals.get(column.ref) or [] for column in frame.columns] if totals else [],
        "chips": [(one.told(frame), _without(query, str(one))) for one in wanted.filters],
        "hows": list(asking.HOWS.items()),
        "size": found.size,
        "of": frame.size,
        "first": wanted.start + 1 if found.size else 0,
        "last": end,
        "newer": _at(query, max(wanted.start - asking.PAGE, 0)) if wanted.start else "",
        "older": _at(query, end) if end < found.size else "",
        "query": query.urlencode(),
        "kept_pairs": [
            (name, value) for name in ("f", "sort", "rows") for value in query.getlist(name)
        ],
        "kinds": writers.kinds(),
    }


def _head(column: Column, wanted: Wanted, query: QueryDict) -> Head:
    if not column.sortable:
        return Head(column, "", "")
    now = {column.ref: "ascending", f"-{column.ref}": "descending"}.get(wanted.sort, "")
    more = query.copy()
    more.pop("at", None)
    more["sort"] = f"-{column.ref}" if now == "ascending" else column.ref
    return Head(column, f"?{more.urlencode()}", now)


def _at(query: QueryDict, start: int) -> str:
    more = query.copy()
    more["at"] = str(start)
    return f"?{more.urlencode()}"


def _without(query: QueryDict, one: str) -> str:
    more = query.copy()
    more.pop("at", None)
    more.setlist("f", [text for text in query.getlist("f") if text != one])
    return f"?{more.urlencode()}"


def export(
    request: HttpRequest, thing: KeptSheet | KeptJoin, frame: Frame, back: str
) -> HttpResponseBase:
    """Return rows of a table as a file: masked, with the filters of the address, on the record."""
    if not request.user.has_perm(keeping.EXPORT):
        raise PermissionDenied
    kind = request.POST.get("format", "")
    if kind not in writers.kinds():
        raise BadRequest
    found = found_in(frame, request.GET)
    asked = dialogs.unproved(request, staff_site, title=_("Export"), back=back)
    if asked is not None:
        return asked
    rates.spend("export", request.user.pk, actor=request.user)
    facts = {
        "format": kind,
        "rows": found.size,
        "fields": [column.ref for column in frame.columns],
        "filter": asking.told(frame, found.wanted.filters),
        "part": request.GET.get("rows", "")[:10],
    }
    record(verbs.EXPORTED, actor=request.user, subject=thing, context=facts)
    heads = [column.label for column in frame.columns]
    return writers.file(kind, "kept-rows", heads, found.lines())
