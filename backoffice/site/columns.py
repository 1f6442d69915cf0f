"""Columns of a list: those that are computed for the rows of one page, and a person's choice.

A column that counts what hangs on a record is asked for the rows in sight alone, so that a list of
ten million rows costs what one of a hundred does. An upper app adds such a column in one line:

    CustomerAdmin.contribute(columns=[PageColumn("order_count", _("orders"), facts, pick)])

Whoever prefers other columns chooses them above the list; the choice is kept with the account.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import path
from django.utils.functional import Promise
from django.views.decorators.http import require_POST

from backoffice.policy import may
from backoffice.site.cells import label_of
from backoffice.site.contract import PageBase
from backoffice.site.masked import is_masked
from backoffice.site.models import ColumnChoice

# facts(request, rows) -> primary key -> whatever the columns of one query share.
Facts = Callable[[HttpRequest, Sequence[Any]], Mapping[Any, Any]]

_VALUES = "_page_values"
_CHOSEN = "backoffice.columns"


@dataclass(frozen=True, slots=True)
class PageColumn:
    """A column whose values `pick` takes from the `facts` of the rows in sight.

    Columns with the same `facts` share its one call. `permission` ("app.codename") is asked of the
    policy; without it the column is neither shown nor offered. It cannot be sorted by.
    """

    name: str
    short_description: str | Promise
    facts: Facts
    pick: Callable[[Any], Any]
    numeric: bool = False
    permission: str = ""

    def __call__(self, obj: Model) -> Any:
        """Return the value of a row that `fill` has seen."""
        return getattr(obj, _VALUES, {}).get(self.name)


@dataclass(frozen=True, slots=True)
class Offered:
    """A column in the menu: `fixed` is the first one, which leads to the record."""

    name: str
    label: str
    shown: bool
    fixed: bool
    masked: bool


def fill(
    columns: Sequence[PageColumn], shown: Sequence[Any], request: HttpRequest, rows: Sequence[Any]
) -> None:
    """Compute the columns that are shown for these rows; a query or so for each kind of facts."""
    facts: dict[Facts, Mapping[Any, Any]] = {}
    for column in columns:
        if column.name not in shown:
            continue
        if column.facts not in facts:
            facts[column.facts] = column.facts(request, rows)
        for row in rows:
            found = facts[column.facts].get(row.pk)
            values = row.__dict__.setdefault(_VALUES, {})
            values[column.name] = None if found is None else column.pick(found)


class ColumnsMixin(PageBase):
    """`more_columns = ["born"]` are offered beside those of `list_display`."""

    def get_urls(self) -> list[Any]:
        """Add the address that takes a choice of columns."""
        view = self.admin_site.admin_view(require_POST(self.columns_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_columns"
        return [path("columns/", view, name=name), *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns this person chose, else those of the page."""
        return [column.name for column in self.offered_columns(request) if column.shown]

    def offered_columns(self, request: HttpRequest) -> list[Offered]:
        """Return all columns this person may see, with those that are shown; one query."""
        known: dict[str, list[Offered]] = request.META.setdefault(_CHOSEN, {})
        if self._page_key not in known:
            known[self._page_key] = self._offered(request)
        return known[self._page_key]

    def _offered(self, request: HttpRequest) -> list[Offered]:
        refused = {
            column.name
            for column in self.page_columns
            if column.permission and not may(request.user, column.permission, None).allowed
        }
        usual = [str(name) for name in super().get_list_display(request) if name not in refused]
        names = [*usual, *(name for name in self.more_columns if name not in usual)]
        choice = ColumnChoice.objects.filter(user=request.user.pk, page=self._page_key).first()
        wanted = usual if choice is None else choice.columns
        return [
            Offered(
                name=name,
                label=label_of(self, name),
                shown=place == 0 or name in wanted,
                fixed=place == 0,
                masked=is_masked(self.model, name),
            )
            for place, name in enumerate(names)
        ]

    @property
    def _page_key(self) -> str:
        return f"{self.admin_site.name}:{self.opts.label_lower}"

    def columns_view(self, request: HttpRequest) -> HttpResponse:
        """Keep the choice, or forget it (`usual`), and go back to the list as it was filtered."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        mine: dict[str, Any] = {"user_id": request.user.pk, "page": self._page_key}
        if "usual" in request.POST:
            ColumnChoice.objects.filter(**mine).delete()
        else:
            wanted = set(request.POST.getlist("column"))
            chosen = [column.name for column in self.offered_columns(request)
                      if column.fixed or column.name in wanted]  # fmt: skip
            ColumnChoice.objects.update_or_create(**mine, defaults={"columns": chosen})
        return HttpResponseRedirect(f"{self.list_url()}{_query(request.GET)}")


def _query(parameters: QueryDict) -> str:
    """Return the list's query without its order, which counts columns."""
    left = parameters.copy()
    left.pop("o", None)
    return f"?{left.urlencode()}" if left else ""
