"""Exports of a list: masked, recorded, in the person's scope and with the list's filters."""

from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_POST

from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.site import writers
from backoffice.site.contract import PageBase


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
        rows = self.get_changelist_instance(request).get_queryset(request)
        kind = request.POST.get("format", "")
        if kind not in writers.kinds():
            raise BadRequest
        record(
            verbs.EXPORTED,
            actor=request.user,
            subject=self.model,
            reason=request.POST.get("reason", "")[:500],
            context={"format": kind, "rows": rows.count(), "fields": list(self.export_fields)},
        )
        return writers.response(self, rows, kind)
