"""Tabs of a record page: each is a page of its own address, asked for when it is opened.

    CustomerAdmin.contribute(tabs=[
        Tab("orders", _("Orders"), "orders/customer_orders.html", orders_of, count=count_of,
            permission="orders.view_order", order=10),
    ])

They are plain links in a navigation, so that they work without script, by keyboard and in a second
window; the page itself is the first of them. `rows` of a tab are cut into pages here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from backoffice.policy import may
from backoffice.site.contract import PageBase
from backoffice.site.links import buttons

PER_PAGE = 25
_MOST_PAGES = 400


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab. `rows(request, obj)` returns what is shown, as a query or anything that is sliced.

    `key` is its part of the address. The template gets `object` and `rows`, those of one page, as
    `prepare(request, obj, rows)` returns them. `count(request, obj)` is the number behind the
    label; `empty` is said when there are no rows. `permission` ("app.codename") is asked for the
    record.
    """

    key: str
    title: str | Promise
    template: str
    rows: Callable[[HttpRequest, Any], Any]
    prepare: Callable[[HttpRequest, Any, list[Any]], Sequence[Any]] | None = None
    count: Callable[[HttpRequest, Any], int] | None = None
    permission: str = ""
    order: int = 50
    empty: str | Promise = ""


@dataclass(slots=True)
class TabLink:
    """A tab of one record; `count` is "" where it is not counted."""

    label: str
    url: str
    count: str
    current: bool


@dataclass(slots=True)
class Page:
    """The rows of one page of a tab, and the numbers of those beside it (None: there is none)."""

    rows: Sequence[Any]
    first: int
    last: int
    newer: int | None
    older: int | None


class TabsMixin(PageBase):
    """Gives each tab its address below the record."""

    def get_urls(self) -> list[Any]:
        """Add the address of the tabs where the page has any."""
        if not self.page_tabs:
            return super().get_urls()
        view = self.admin_site.admin_view(self.tab_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_tab"
        return [path("<path:object_id>/tab/<slug:tab>/", view, name=name), *super().get_urls()]

    def tab_links(self, request: HttpRequest, obj: Any, current: str = "") -> list[TabLink]:
        """Return the tabs this person may open, the record itself first; none without others."""
        tabs = [tab for tab in sorted(self.page_tabs, key=_order) if _may_open(request, tab, obj)]
        if not tabs:
            return []
        own = TabLink(_("Profile"), self.record_url(obj), "", current == "")
        return [own, *(self._tab_link(request, obj, tab, current) for tab in tabs)]

    def _tab_link(self, request: HttpRequest, obj: Any, tab: Tab, current: str) -> TabLink:
        count = "" if tab.count is None else str(tab.count(request, obj))
        return TabLink(
            str(tab.title), self.url_of("tab", obj.pk, tab.key), count, tab.key == current
        )

    def tab_view(self, request: HttpRequest, object_id: str, tab: str) -> HttpResponse:
        """Show one tab; 404 for a record or a tab that is not there, 403 without the right."""
        obj = self.record_or_none(request, object_id)
        chosen = next((one for one in self.page_tabs if one.key == tab), None)
        if obj is None or chosen is None:
            raise Http404
        if not self.has_view_permission(request, obj) or not _may_open(request, chosen, obj):
            raise PermissionDenied
        page = _page(chosen, request, obj)
        context = {
            **self.admin_site.each_context(request),
            **self.record_context(request, obj),
            **buttons(self.action_links(request, obj, "detail")),
            "opts": self.opts,
            "object": obj,
            "has_history": hasattr(obj, "history"),
            "title": chosen.title,
            "tabs": self.tab_links(request, obj, chosen.key),
            "tab": chosen,
            "page": page,
            "rows": page.rows,
        }
        return TemplateResponse(request, "backoffice/record_tab.html", context)


def _order(tab: Tab) -> int:
    return tab.order


def _may_open(request: HttpRequest, tab: Tab, obj: Any) -> bool:
    return not tab.permission or may(request.user, tab.permission, obj).allowed


def _page(tab: Tab, request: HttpRequest, obj: Any) -> Page:
    """Return the page that the address asks for; one row more tells whether another follows."""
    asked = request.GET.get("p", "")
    number = min(int(asked), _MOST_PAGES) if asked.isdecimal() and len(asked) < 6 else 1  # noqa: PLR2004
    start = max(number - 1, 0) * PER_PAGE
    found = list(tab.rows(request, obj)[start : start + PER_PAGE + 1])
    rows: Sequence[Any] = found[:PER_PAGE]
    if tab.prepare is not None:
        rows = tab.prepare(request, obj, list(rows))
    return Page(
        rows=rows,
        first=start + 1,
        last=start + len(rows),
        newer=number - 1 if number > 1 else None,
        older=number + 1 if len(found) > PER_PAGE else None,
    )
