"""Finding a record by one whole value, also of a masked field.

The value comes by POST and stands in no address, log or event; who searched by what, and how many
were found, is recorded.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.accounts import rates
from backoffice.masking.services import search_exact
from backoffice.site import found
from backoffice.site.contract import PageBase

_MOST = 200


class FindMixin(PageBase):
    """`exact_search = ["number", "email"]` puts the search box above the list."""

    def get_urls(self) -> list[Any]:
        """Add the address of the search."""
        view = self.admin_site.admin_view(require_POST(self.find_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_find"
        return [path("find/", view, name=name), *super().get_urls()]

    def exact_search_choices(self) -> list[tuple[str, str]]:
        """Return (field, label) of what may be searched for."""
        return [
            (name, capfirst(str(self.opts.get_field(name).verbose_name)))  # type: ignore[union-attr]
            for name in self.exact_search
        ]

    def find_view(self, request: HttpRequest) -> HttpResponse:
        """Search, record the search, and lead to the record, to the list of found, or back."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        kind, value = request.POST.get("kind", ""), request.POST.get("value", "").strip()[:320]
        if kind not in self.exact_search or not value:
            messages.error(request, _("Choose what to search by and enter the whole value."))
            return HttpResponseRedirect(self.list_url())
        # Each answer tells whether somebody has this value, so nobody goes through many.
        rates.spend("search", request.user.pk, actor=request.user)
        return self._found(request, kind, self._find(request, kind, value))

    def _find(self, request: HttpRequest, kind: str, value: str) -> list[Any]:
        try:
            actor: Any = request.user
            rows = search_exact(self.get_queryset(request), kind, value, actor=actor)
            return self.found_keys(rows, _MOST + 1)
        except (ValueError, forms.ValidationError):
            return []  # not even the shape of such a value

    def found_keys(self, rows: Any, most: int) -> list[Any]:
        """Return the keys of the records to show for what was found, at most so many."""
        return list(rows.values_list("pk", flat=True)[:most])

    def _found(self, request: HttpRequest, kind: str, ids: list[Any]) -> HttpResponse:
        if len(ids) == 1:
            return HttpResponseRedirect(self.url_of("change", ids[0]))
        if not ids:
            label = dict(self.exact_search_choices())[kind].lower()
            text = _("No %(thing)s has exactly this %(kind)s. Parts of a value find nothing.")
            messages.warning(request, text % {"thing": self.opts.verbose_name, "kind": label})
            return HttpResponseRedirect(f"{self.list_url()}?{found.BY}={kind}")
        if len(ids) > _MOST:
            text = _("More than %(most)s have this value. The first %(most)s are listed.")
            messages.warning(request, text % {"most": _MOST})
            ids = ids[:_MOST]
        token = found.remember(request, self.opts.label_lower, ids)
        return HttpResponseRedirect(
            f"{self.list_url()}?{found.PARAMETER}={token}&{found.BY}={kind}"
        )
