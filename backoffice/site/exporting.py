"""Exports of a list: masked, recorded, in the person's scope and with the list's filters.

They ask for fresh proof of who the person is.
"""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.accounts import rates
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.masking import MASK_CHAR
from backoffice.site import writers
from backoffice.site.contract import PageBase
from backoffice.site.dialogs import unproved

# Parameters of a list that hold what a person typed or found, and its place and order.
_TYPED = frozenset({"q", "found"})
_PLACES = frozenset({"p", "o", "all"})


class ExportMixin(PageBase):
    """`export_fields = ["number", …]` puts the export button above the list."""

    def get_urls(self) -> list[Any]:
        """Add the address of the export."""
        view = self.admin_site.admin_view(require_POST(self.export_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", view, name=name), *super().get_urls()]

    def may_export(self, request: HttpRequest) -> bool:
        """Say whether the person has `export_<model>` and there is something to write with."""
        ready = bool(self.export_fields) and bool(writers.kinds())
        return ready and self.allows(request, "export")

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the rows of the list (with the filters of its address) as a file."""
        if not self.may_export(request):
            raise PermissionDenied
        kind = request.POST.get("format", "")
        if kind not in writers.kinds():
            raise BadRequest
        asking = unproved(request, self.admin_site, title=_("Export"), back=str(self.list_url()))
        if asking is not None:
            return asking
        rates.spend("export", request.user.pk, actor=request.user)
        rows = self._listed(request)
        record(
            verbs.EXPORTED,
            actor=request.user,
            subject=self.model,
            reason=request.POST.get("reason", "")[:500],
            context={
                "format": kind,
                "rows": rows.count(),
                "fields": list(self.export_fields),
                "filter": told_filter(request.GET),
            },
        )
        return writers.response(self, rows, kind)

    def _listed(self, request: HttpRequest) -> Any:
        """Return the rows of the list; an address that the list does not know is a bad request."""
        try:
            return self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            raise BadRequest from None


def told_filter(parameters: QueryDict) -> dict[str, str]:
    """Return what a list was narrowed by, for the record of activity.

    What somebody typed into a search may be personal: that there was a search is told, its text is
    not. No filter holds a personal value, since masked fields cannot be filtered by.
    """
    told = {}
    for name, value in parameters.dict().items():
        if name in _TYPED:
            told[name] = "*"
        elif name not in _PLACES and MASK_CHAR not in str(value):
            told[name] = str(value)[:100]
    return told
