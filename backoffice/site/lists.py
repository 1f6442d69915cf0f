"""Lists: what the template needs of one, and what an address may ask of it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import lookup_field
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.text import capfirst, get_text_list
from django.utils.translation import gettext as _

from backoffice.site import columns as columns_of_pages
from backoffice.site import found, list_views, writers
from backoffice.site.cells import Cell, cell_of
from backoffice.site.contract import PageBase
from backoffice.site.masked import is_masked, masked_names, passes_masked
from backoffice.site.narrowing import narrowings
from backoffice.site.values import Badge

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList as BaseChangeList
else:
    from unfold.views import ChangeList as BaseChangeList


@dataclass(slots=True)
class Row:
    """One record of a list."""

    obj: models.Model
    url: str
    cells: list[Cell]
    badges: list[Badge] = field(default_factory=list)
    actions: list[Any] = field(default_factory=list)


class BackofficeChangeList(BaseChangeList):
    """Django's list without orders that would tell a hidden value, and with found records."""

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Leave our own parameter to us."""
        left: dict[str, Any] = super().get_filters_params(params)
        left.pop(found.PARAMETER, None)
        left.pop(list_views.PARAMETER, None)
        left.pop(found.BY, None)
        return left

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """Narrow to the view, and to what an exact search found where the address says so."""
        page: Any = self.model_admin
        rows = super().get_queryset(request, exclude_parameters)
        rows = list_views.narrow(page.list_views, request, rows)
        token = request.GET.get(found.PARAMETER)
        return found.narrow(request, rows, token) if token else rows

    def get_results(self, request: HttpRequest) -> None:
        """Compute the columns that are asked for the rows of this page only."""
        super().get_results(request)
        page: Any = self.model_admin
        if page.page_columns:
            self.result_list = list(self.result_list)
            columns_of_pages.fill(page.page_columns, self.list_display, request, self.result_list)

    def get_ordering_field(self, field_name: Any) -> Any:
        """Refuse to order by a masked field: the order alone gives the value away."""
        ordering = super().get_ordering_field(field_name)
        if ordering and passes_masked(self.model, str(ordering).lstrip("-")):
            return None
        return ordering


_NOT_FROM_ADDRESSES = frozenset({"range", "regex", "iregex"})


class ListMixin(PageBase):
    """The list page."""

    show_full_result_count = False
    list_per_page = 25
    actions = None
    change_list_template = "backoffice/change_list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BackofficeChangeList]:
        """Use our list."""
        return BackofficeChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse filters through a masked field, also over relations (400).

        Also refused are lookups whose value, coming from an address, only the database would find
        to be wrong: half a range, a pattern that does not end, a text with NUL.
        """
        if passes_masked(self.model, lookup) or lookup.rpartition("__")[2] in _NOT_FROM_ADDRESSES:
            return False
        if "\0" in str(value):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        """Offer no order by masked columns."""
        return [
            str(name)
            for name in super().get_sortable_by(request)
            if not is_masked(self.model, str(name))
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list with our head, rows and buttons."""
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data:
            changelist = response.context_data.get("cl")
            if changelist is not None:
                response.context_data.update(self.list_context(request, changelist))
        return response

    def list_context(self, request: HttpRequest, changelist: Any) -> dict[str, Any]:
        """Return the variables of the list page."""
        return {
            "title": self.list_title or capfirst(str(changelist.opts.verbose_name_plural)),
            "page_subtitle": self.list_subtitle,
            "columns": columns(changelist),
            "rows": rows(changelist, request),
            "has_masked": bool(masked_names(self.model)),
            "list_actions": self.action_links(request, None, "listing"),
            "bulk_actions": self.bulk_links(request),
            "exact_search_fields": self.exact_search_choices(),
            "exact_search_by": request.GET.get(found.BY, ""),
            "exact_search_words": get_text_list(
                [label.lower() for _name, label in self.exact_search_choices()], _("or")
            ),
            "offered_columns": self.offered_columns(request),
            "may_export": self.may_export(request),
            "clear_links": self.clear_links(request, exports=False),
            "clear_export_links": self.clear_links(request, exports=True),
            "found_token": request.GET.get(found.PARAMETER, ""),
            "breadcrumbs": [],
            "empty_text": self._empty_text(request),
            "view_links": list_views.links(self.list_views, request, str(self.list_url())),
            **self._addresses(request),
            **pager(changelist),
            "filters": filters(changelist),
            "narrowings": narrowings(changelist),
        }

    def _empty_text(self, request: HttpRequest) -> Any:
        view = list_views.chosen(self.list_views, request)
        return self.empty_text if view is None else view.empty or self.empty_text

    def _addresses(self, request: HttpRequest) -> dict[str, Any]:
        query = request.GET.urlencode()
        return {
            "add_url": self.url_of("add"),
            "find_in_list_url": self.url_of("find"),
            "columns_url": self.url_of("columns"),
            "export_url": self.url_of("export"),
            "export_choose_url": self.url_of("export_choose"),
            "export_kinds": writers.kinds(),
            "page_query_string": f"?{query}" if query else "",
        }


def pager(changelist: Any) -> dict[str, Any]:
    """Return the numbers of the pages beside this one and the rows it shows."""
    page, size = changelist.page_num, changelist.list_per_page
    last = min(page * size, changelist.result_count)
    changelist.page_first = (page - 1) * size + 1
    changelist.page_last = last
    return {
        "newer_page": page - 1,
        "older_page": page + 1 if last < changelist.result_count else None,
    }


@dataclass(slots=True)
class Filter:
    """A filter as a chip with a menu, of choices or (`fields`) of something to type."""

    title: str
    text: str
    active: bool
    choices: list[dict[str, Any]]
    fields: list[Any] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)


def filters(changelist: Any) -> list[Filter]:
    """Return the filters of a list with their choices and what is chosen."""
    chips = []
    for spec in changelist.filter_specs:
        choices = list(spec.choices(changelist))
        chosen = next((choice for choice in choices if choice.get("selected")), None)
        text = str((chosen or choices[0])["display"]) if choices else ""
        active = chosen is not None and chosen is not choices[0]
        chip = Filter(capfirst(str(spec.title)), text, active, choices)
        if form_fields := getattr(spec, "form_fields", None):
            chip.fields, chip.kept = form_fields(), _other_parameters(changelist, spec)
        chips.append(chip)
    return chips


def _other_parameters(changelist: Any, spec: Any) -> list[tuple[str, str]]:
    """Return what a form of one filter has to send along, so that the others stay."""
    own = {*spec.expected_parameters(), "p"}
    return [(name, str(value)) for name, value in changelist.params.items() if name not in own]


@dataclass(slots=True)
class Column:
    """The head of a column; `sort` is "ascending", "descending" or "", `url` sorts by it."""

    label: str
    masked: bool
    numeric: bool
    sort: str
    url: str


def columns(changelist: Any) -> list[Column]:
    """Return the heads of a list."""
    from django.contrib.admin.templatetags.admin_list import (  # noqa: PLC0415 - registers tags
        result_headers,
    )

    page = changelist.model_admin
    heads = []
    for name, head in zip(changelist.list_display, result_headers(changelist), strict=True):
        sort = ""
        if head.get("sorted"):
            sort = "ascending" if head.get("ascending") else "descending"
        heads.append(
            Column(
                label=capfirst(str(head["text"])),
                masked=is_masked(changelist.model, str(name)),
                numeric=is_numeric(page, str(name)),
                sort=sort,
                url=str(head.get("url_primary", "")) if head.get("sortable") else "",
            )
        )
    return heads


_NUMBERS = (models.IntegerField, models.DecimalField, models.FloatField)


def is_numeric(page: Any, name: str) -> bool:
    """Say whether a column holds numbers or money and stands at the right."""
    if name in page.numeric_columns:
        return True
    try:
        model_field = page.model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return isinstance(model_field, _NUMBERS) and not model_field.choices


def rows(changelist: Any, request: HttpRequest) -> list[Row]:
    """Return the rows of the page with their cells and buttons."""
    page = changelist.model_admin
    allowed = page.action_decisions(request, list(changelist.result_list))
    badges = page.list_badges(request, list(changelist.result_list))
    return [
        Row(
            obj=obj,
            url=page.record_url(obj),
            cells=[_cell(page, changelist, obj, str(name)) for name in changelist.list_display],
            badges=badges.get(obj.pk, []),
            actions=page.action_links(request, obj, "row", allowed),
        )
        for obj in changelist.result_list
    ]


def _cell(page: Any, changelist: Any, obj: models.Model, name: str) -> Cell:
    try:
        model_field, attr, value = lookup_field(name, obj, page)
    except ObjectDoesNotExist:
        return Cell("", page.admin_site.empty_value_display)
    linked = name in (changelist.list_display_links or ())
    numeric = is_numeric(page, name)
    return cell_of(page, obj, name, (model_field, attr, value), linked=linked, numeric=numeric)
