"""Views of a list: tabs above the table, each a part of its rows at an address of its own.

    class OrderAdmin(BackofficeAdmin):
        list_views = [
            ListView("", _("All")),
            ListView("mine", _("Waiting for me"), rows=waiting_for, count=how_many),
        ]

The view whose key is "" is what the plain address shows. A view is no filter: it is chosen, not
typed, and filters narrow it further.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise

from backoffice.policy import may
from backoffice.site.tabs import TabLink

if TYPE_CHECKING:
    from collections.abc import Sequence

PARAMETER = "view"
AT_MOST = 500
"""Further than this nothing is counted: "500+" says as much to somebody who has work to do."""


@dataclass(frozen=True, slots=True)
class ListView:
    """One view. `rows(request, queryset)` narrows; None shows all.

    `count(request)` is the number on the tab, at most AT_MOST + 1 (see `counted`). `permission`
    ("app.codename") is needed to see it. `empty` is said when nothing is in it.
    """

    key: str
    title: str | Promise
    rows: Callable[[HttpRequest, QuerySet[Any]], QuerySet[Any]] | None = None
    count: Callable[[HttpRequest], int] | None = None
    permission: str = ""
    empty: str | Promise = ""


def counted(rows: QuerySet[Any]) -> int:
    """Return how many rows there are, AT_MOST + 1 for more: no table is counted to its end."""
    return len(rows.order_by().values_list("pk")[: AT_MOST + 1])


def offered(views: "Sequence[ListView]", request: HttpRequest) -> list[ListView]:
    """Return the views that this person may see."""
    return [view for view in views
            if not view.permission or may(request.user, view.permission, None)]  # fmt: skip


def chosen(views: "Sequence[ListView]", request: HttpRequest) -> ListView | None:
    """Return the view that the address names; the plain one for a name that there is not."""
    by_key = {view.key: view for view in offered(views, request)}
    return by_key.get(request.GET.get(PARAMETER, ""), by_key.get(""))


def narrow(views: "Sequence[ListView]", request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows of the view that the address names."""
    view = chosen(views, request)
    return rows if view is None or view.rows is None else view.rows(request, rows)


def links(views: "Sequence[ListView]", request: HttpRequest, url: str) -> list[TabLink]:
    """Return the tabs; none where there would be only one."""
    known, current = offered(views, request), chosen(views, request)
    if len(known) < 2:  # noqa: PLR2004 - one tab says nothing
        return []
    return [
        TabLink(
            str(view.title),
            f"{url}?{PARAMETER}={view.key}" if view.key else url,
            _number(view, request),
            view is current,
        )
        for view in known
    ]


def _number(view: ListView, request: HttpRequest) -> str:
    if view.count is None:
        return ""
    count = view.count(request)
    return f"{AT_MOST}+" if count > AT_MOST else str(count)
