"""Asking for a file with clear values from a list, and the page of what came of it."""

from http import HTTPStatus
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.approvals.models import ApprovalRequest
from backoffice.files import links
from backoffice.masking.services import Purpose, Reason
from backoffice.policy import may
from backoffice.sheets.exporting import clear_exports
from backoffice.sheets.models import ClearExport
from backoffice.site import Badge, SitePage, dialogs, navigation, revealing, staff_site
from backoffice.site.actions import Action, ActionForm
from backoffice.site.list_dialogs import ListDialogView, below, masked_choices
from backoffice.site.masked import masked_names
from backoffice.site.told_filters import told_filter
from backoffice.site.visitors import signed_in

_SHOWN = 100


class ClearExportForm(ActionForm):
    """Which values, and why."""

    recorded = gettext_lazy(
        "You, the time, the filter and your reason. If it is approved: each record by itself."
    )
    names = forms.MultipleChoiceField(
        label=gettext_lazy("Which values, in clear?"),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("No more than you need."),
    )
    purpose = forms.ChoiceField(
        label=gettext_lazy("What is the file for?"), choices=Purpose, widget=forms.RadioSelect
    )
    text = forms.CharField(
        label=gettext_lazy("In a few words"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Who approves reads this. No personal data, please."),
    )

    def offer(self, model: Any) -> None:
        """Offer the masked fields of `model`; none is ticked for the person."""
        self.fields["names"].choices = masked_choices(model)  # type: ignore[attr-defined]

    def intro(self) -> str:
        """Say what will happen."""
        return _(
            "The usual export holds masks and needs nobody. For clear values another person has to "
            "agree. Then a job makes a csv file, encrypted, that only you can open, for a day."
        )

    def reason(self) -> Reason:
        """Return what was filled in, valid or not."""
        return Reason(self.data.get("purpose", ""), self.data.get("text", ""))


class AskView(ListDialogView):
    """GET asks which values and why; POST puts the request before another person."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the dialog; nothing changes."""
        if not self.page.allows(request, clear_exports.RIGHT):
            raise PermissionDenied
        return self._dialog(request, self._form(request), self._rows(request).count())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask; 400 with what is missing."""
        if not self.page.allows(request, "view"):
            raise PermissionDenied
        form, rows = self._form(request, request.POST), self._rows(request)
        allowed = bool(self.page.allows(request, clear_exports.RIGHT))
        # Without the right the service is asked all the same: it records the attempt.
        if allowed and not dialogs.is_ready(form, request):
            return self._dialog(request, form, rows.count(), HTTPStatus.BAD_REQUEST)
        names = form.cleaned_data["names"] if allowed else masked_names(self.page.model)
        told, reason = told_filter(self.changelist(request)), form.reason()
        try:
            clear_exports.ask(rows, names, told=told, reason=reason, actor=signed_in(request))
        except ValidationError as error:
            form.add_error(None, error.messages[0])
            return self._dialog(request, form, rows.count(), HTTPStatus.BAD_REQUEST)
        where = reverse(f"{self.page.admin_site.name}:clear_exports")
        return dialogs.finish(request, where, _("Asked. Another person has to agree."))

    def _rows(self, request: HttpRequest) -> Any:
        """Return the rows of the list with the filters of its address."""
        return self.changelist(request).get_queryset(request)

    def _form(self, request: HttpRequest, data: Any = None) -> ClearExportForm:
        form = ClearExportForm(data, request=request)
        form.offer(self.page.model)
        dialogs.with_step_up(form, request, wanted=True, factor=True)
        return form

    def _dialog(
        self, request: HttpRequest, form: ClearExportForm, count: int, status: int = 200
    ) -> HttpResponse:
        context = {
            **self.frame(request),
            "form": form,
            "intro": form.intro(),
            "rule": _("%(count)s records, at most %(cap)s")
            % {"count": count, "cap": clear_exports.cap()},
            "submit_label": _("Ask for it"),
        }
        return TemplateResponse(request, "backoffice/dialog.html", context, status=status)


def urls(page: Any) -> list[URLPattern]:
    """Return the address below a list with masked fields."""
    spec = Action(
        name="clear_export",
        label=gettext_lazy("Ask for a clear export"),
        permission=clear_exports.RIGHT,
        handler=dialogs.by_itself,
        form=ClearExportForm,
        icon="lock_open",
        step_up=True,
    )
    return [below(page, AskView, spec)]


class ClearExportsPage(SitePage):
    """What somebody asked for, and the files while they last; for some, those of everybody."""

    path, name = "clear-exports/", "clear_exports"
    title = gettext_lazy("Clear exports")
    subtitle = gettext_lazy("Files with clear values: asked for, approved by another, for a day.")
    template_name = "sheets/clear_exports.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the newest exports with where each of them stands."""
        found = ClearExport.objects.select_related("owner", "file", "job")
        everybody = bool(may(request.user, "sheets.view_clearexport", None))
        if not everybody:
            found = found.filter(owner=signed_in(request))
        exports = list(found.defer("keys")[:_SHOWN])
        asked = ApprovalRequest.objects.in_bulk([one.request_id for one in exports])
        lines = [_line(one, asked.get(one.request_id), request) for one in exports]
        return {"lines": lines, "everybody": everybody}


def _line(
    export: ClearExport, asked: ApprovalRequest | None, request: HttpRequest
) -> dict[str, Any]:
    mine = export.owner_id == request.user.pk
    ready = export.file is not None and export.file.expires_at > timezone.now()
    opens = mine and ready and clear_exports.may_have(request.user, export)
    return {
        "export": export,
        "what": clear_exports.summary(export),
        "fields": ", ".join(clear_exports.labels(export)),
        "badge": _badge(export, asked, ready=ready),
        "why": _why(export, asked),
        "request_url": reverse("admin:approval", args=[export.request_id]) if asked else "",
        "file_url": reverse("admin:clear_file", args=[export.public_id]) if opens else "",
    }


def _why(export: ClearExport, asked: ApprovalRequest | None) -> str:
    """Return why there is no file, where something stopped it; nothing personal stands in it."""
    if export.job is not None:
        return export.job.message if export.job.state == export.job.State.FAILED else ""
    return asked.outcome if asked is not None else ""


def _badge(export: ClearExport, asked: ApprovalRequest | None, *, ready: bool) -> Badge:
    if ready:
        return Badge("done", _("Ready"))
    if export.made_at is not None:
        return Badge("rest", _("Expired"))
    if export.job is not None:
        failed = export.job.state in {export.job.State.FAILED, export.job.State.CANCELLED}
        return Badge("fail" if failed else "move", str(export.job.get_state_display()))
    if asked is not None and asked.state == ApprovalRequest.State.REQUESTED:
        return Badge("wait", str(asked.get_state_display()))
    return Badge("rest", str(asked.get_state_display()) if asked else _("Gone"))


class ClearFilePage(SitePage):
    """Leads the owner to the link of their file, which asks for fresh proof."""

    path, name = "clear-exports/<uuid:number>/file/", "clear_file"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Redirect to a fresh link; 404 for anybody else and for a file that expired."""
        export = ClearExport.objects.filter(
            public_id=kwargs["number"],
            owner=signed_in(request),
            file__expires_at__gt=timezone.now(),
        ).first()
        if export is None or export.file is None:
            raise Http404
        if not clear_exports.may_have(request.user, export):
            raise PermissionDenied
        return redirect(links.address(export.file, self.site.name))


for one in (ClearExportsPage, ClearFilePage):
    staff_site.add_page(one)
revealing.mount(urls)
revealing.offer(
    "clear_export",
    right=clear_exports.RIGHT,
    label=gettext_lazy("Ask for a clear export"),
    icon="lock_open",
    exports=True,
)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    label=gettext_lazy("Clear exports"),
    icon="lock_open",
    url_name="clear_exports",
    permission="sheets.view_clearexport",
    order=87,
)
