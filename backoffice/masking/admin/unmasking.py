"""The dialog that shows clear values of a whole page of a list, for who may."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.accounts import stepup
from backoffice.audit.addresses import client_address
from backoffice.masking import services
from backoffice.masking.admin.dialogs import TOO_MANY, RevealForm, show_limit, unstored
from backoffice.site import bulk, dialogs
from backoffice.site.actions import Action
from backoffice.site.list_dialogs import ListDialogView, below, masked_choices
from backoffice.site.masked import masked_names
from backoffice.site.visitors import signed_in


class UnmaskForm(RevealForm):
    """Which fields, and why."""

    fields_shown = forms.MultipleChoiceField(
        label=gettext_lazy("Which values?"),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("No more than you need."),
    )
    field_order = ("fields_shown", "purpose", "text")

    def offer(self, model: Any) -> None:
        """Offer the masked fields of `model`; none is ticked for the person."""
        self.fields["fields_shown"].choices = masked_choices(model)  # type: ignore[attr-defined]


class UnmaskView(ListDialogView):
    """GET asks why; POST puts each record on the record, then shows the values for a minute."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask which values of the list's rows, and why; nothing changes."""
        if not self._may(request):
            raise PermissionDenied
        found = self.changelist(request).result_list
        return self._dialog(request, self._form(request), list(found))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Show the values; 400 with what is missing, 403 without the right, 429 over the cap."""
        rows = self._rows(request, bulk.keys(request.POST.getlist(bulk.KEYS)))
        form = self._form(request, request.POST)
        names = masked_names(self.page.model)
        # Without the right the service is asked all the same: it records the attempt.
        if self._may(request):
            if not dialogs.is_ready(form, request) or not rows:
                return unstored(self._dialog(request, form, rows, HTTPStatus.BAD_REQUEST))
            names = form.cleaned_data["fields_shown"]
        elif not rows:
            raise PermissionDenied
        try:
            seen = services.unmask(
                rows,
                names,
                actor=signed_in(request),
                reason=form.reason(),
                fresh=stepup.is_fresh(request, factor=True),
            )
        except services.RevealRefusedError as refused:
            show_limit(form, refused)
            return unstored(self._dialog(request, form, rows, TOO_MANY))
        return self._shown(request, seen, names)

    def _may(self, request: HttpRequest) -> bool:
        return bool(self.page.allows(request, services.UNMASK_PAGE))

    def _rows(self, request: HttpRequest, keys: list[str]) -> list[Any]:
        """Return the rows that the dialog listed, as far as they are there for the person."""
        if not self.page.allows(request, "view"):
            raise PermissionDenied
        found = {str(row.pk): row for row in bulk.rows_of(self.page.get_queryset(request), keys)}
        return [found[key] for key in keys if key in found]

    def _form(self, request: HttpRequest, data: Any = None) -> UnmaskForm:
        form = UnmaskForm(data, request=request)
        form.offer(self.page.model)
        dialogs.with_step_up(form, request, wanted=True, factor=True)
        return form

    def _dialog(
        self, request: HttpRequest, form: UnmaskForm, rows: list[Any], status: int = 200
    ) -> HttpResponse:
        label = ngettext("Show %(count)s record", "Show %(count)s records", len(rows))
        context = {
            **self.frame(request),
            "form": form,
            "rows": rows,
            "rule": form.rule(),
            "over": services.is_over(signed_in(request), rows),
            "intro": _("Each of these records counts against your limits."),
            "submit_label": label % {"count": len(rows)},
            "person": request.user,
            "address": client_address(request),
        }
        return TemplateResponse(request, "masking/unmask.html", context, status=status)

    def _shown(
        self, request: HttpRequest, seen: list[services.RevealedRow], names: Iterable[str]
    ) -> HttpResponse:
        meta = self.page.model._meta
        context = {
            **self.frame(request),
            "heads": [capfirst(str(meta.get_field(name).verbose_name)) for name in names],
            "lines": [self._line(one, names) for one in seen],
            "seconds": services.SHOWN_SECONDS,
        }
        response = unstored(TemplateResponse(request, "masking/unmasked.html", context))
        if dialogs.DIALOG_HEADER not in request.headers:
            # Without scripts the page goes by itself.
            response["Refresh"] = f"{services.SHOWN_SECONDS}; url={context['back_url']}"
        return response

    def _line(self, one: services.RevealedRow, names: Iterable[str]) -> dict[str, Any]:
        return {
            "title": self.page.record_title(one.obj),
            "url": self.page.record_url(one.obj),
            "values": [
                {
                    "text": one.texts[name],
                    "mask": getattr(one.obj, name),
                    "copied_url": self.page.url_of("copied", one.event, name),
                }
                for name in names
            ],
        }


def urls(page: Any) -> list[URLPattern]:
    """Return the address below a list with masked fields."""
    spec = Action(
        name="unmask",
        label=gettext_lazy("Unmask this page"),
        permission=services.UNMASK_PAGE,
        handler=dialogs.by_itself,
        form=UnmaskForm,
        icon="visibility",
        step_up=True,
        wide=True,
    )
    return [below(page, UnmaskView, spec)]
