"""Exports of a list: masked, recorded, in the person's scope and with the list's filters.

They ask for fresh proof of who the person is.
"""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.accounts import rates
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.site import writers
from backoffice.site.contract import PageBase
from backoffice.site.dialogs import unproved
from backoffice.site.told_filters import told_filter


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
        changelist = self._changelist(request)
        rows = changelist.get_queryset(request)
        record(
            verbs.EXPORTED,
            actor=request.user,
            subject=self.model,
            reason=request.POST.get("reason", "")[:500],
            context={
                "format": kind,
                "rows": rows.count(),
                "fields": list(self.export_fields),
                "filter": told_filter(changelist),
            },
        )
        return writers.response(self, rows, kind)

    def _changelist(self, request: HttpRequest) -> Any:
        """Return the list; an address that it does not know is a bad request."""
        try:
            return self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            raise BadRequest from None
