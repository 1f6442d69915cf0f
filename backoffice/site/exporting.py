"""Exports of a list: masked, recorded, in the person's scope and with the list's filters.

They ask for fresh proof of who the person is. What the list shows goes into the file, or columns
that the person chose; few rows at once, many as a job.
"""

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice.accounts import rates
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.site import extracts, list_dialogs, writers
from backoffice.site.actions import Action, ActionForm
from backoffice.site.contract import PageBase
from backoffice.site.dialogs import by_itself, unproved
from backoffice.site.extracts import Asked, Offer
from backoffice.site.told_filters import told_filter

# The parameter by which values leave as they are stored.
AS_STORED = "stored"


class ExportForm(ActionForm):
    """Which columns, how, and as which kind of file."""

    recorded = gettext_lazy("You, the time, the columns, the filter and the number of rows.")
    column = forms.MultipleChoiceField(
        label=gettext_lazy("Columns"), widget=forms.CheckboxSelectMultiple
    )
    stored = forms.BooleanField(
        label=gettext_lazy("States as codes, as they are stored"),
        required=False,
        help_text=gettext_lazy("For a file that comes back by an import."),
    )
    format = forms.ChoiceField(label=gettext_lazy("File"), widget=forms.RadioSelect)

    def offer(self, columns: list[Offer]) -> None:
        """Offer these columns, and tick those that the list shows."""
        locked = _("%(label)s (masked)")
        self.fields["column"].choices = [  # type: ignore[attr-defined]
            (one.name, locked % {"label": one.label} if one.masked else one.label)
            for one in columns
        ]
        self.fields["format"].choices = [(kind, kind) for kind in writers.kinds()]  # type: ignore[attr-defined]
        self.initial["column"] = [one.name for one in columns if one.usual]
        self.initial["format"] = next(iter(writers.kinds()), "")


class ChooseView(list_dialogs.ListDialogView):
    """Asks which columns; what is chosen is posted to the export."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the dialog; nothing leaves."""
        if not self.page.may_export(request):
            raise PermissionDenied
        rows = self.changelist(request).get_queryset(request).count()
        form = ExportForm(request=request)
        form.offer(extracts.offers(self.page, request))
        query = request.GET.urlencode()
        context = {
            **self.frame(request),
            "form": form,
            "form_action": f"{self.page.url_of('export')}{'?' if query else ''}{query}",
            "intro": _("Personal data leaves masked. The filters of the list hold for the file."),
            "rule": _length(rows),
            "submit_label": _("Export"),
            "dialog_base": "backoffice/page.html",
        }
        return TemplateResponse(request, "backoffice/export.html", context)


def _length(rows: int) -> str:
    if writers.later(rows) is None:
        return _("%(rows)s rows, at once") % {"rows": f"{rows:,}"}
    return _("%(rows)s rows, as a job") % {"rows": f"{rows:,}"}


class ExportMixin(PageBase):
    """`export_fields = ["number", …]` puts the export button above the list.

    They are offered beside the columns of the list; without any there is no export.
    """

    def get_urls(self) -> list[Any]:
        """Add the addresses of the export and of its dialog."""
        view = self.admin_site.admin_view(require_POST(self.export_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        spec = Action(
            name="export_choose",
            label=gettext_lazy("Export"),
            permission="export",
            handler=by_itself,
            form=ExportForm,
            icon="download",
        )
        choose = list_dialogs.below(self, ChooseView, spec)
        return [path("export/", view, name=name), choose, *super().get_urls()]

    def may_export(self, request: HttpRequest) -> bool:
        """Say whether the person has `export_<model>` and there is something to write with."""
        ready = bool(self.export_fields) and bool(writers.kinds())
        return ready and self.allows(request, "export")

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the rows of the list (with the filters of its address) as a file."""
        if not self.may_export(request):
            raise PermissionDenied
        asked = self._export_asked(request)
        asking = unproved(request, self.admin_site, title=_("Export"), back=str(self.list_url()))
        if asking is not None:
            return asking
        rates.spend("export", request.user.pk, actor=request.user)
        changelist = self.exported_list(request)
        rows = changelist.get_queryset(request)
        count, asked = rows.count(), replace(asked, told=told_filter(changelist))
        if start := writers.later(count):
            return start(request, asked, count)
        facts = {**asked.facts(), "rows": count}
        record(verbs.EXPORTED, actor=request.user, subject=self.model, reason=asked.reason,
               context=facts)  # fmt: skip
        return writers.response(asked.extract(request, rows), asked.kind)

    def _export_asked(self, request: HttpRequest) -> Asked:
        """Return what was posted; the columns of the list where none was chosen."""
        kind, columns = request.POST.get("format", ""), extracts.offers(self, request)
        chosen = set(request.POST.getlist("column")) or {one.name for one in columns if one.usual}
        if kind not in writers.kinds() or not chosen <= {one.name for one in columns}:
            raise BadRequest
        return Asked(
            page=self,
            kind=kind,
            names=[one.name for one in columns if one.name in chosen],
            as_words=AS_STORED not in request.POST,
            query=request.GET.urlencode(),
            reason=request.POST.get("reason", "")[:500],
        )

    def exported_list(self, request: HttpRequest) -> Any:
        """Return the list; an address that it does not know is a bad request."""
        try:
            return self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            raise BadRequest from None
