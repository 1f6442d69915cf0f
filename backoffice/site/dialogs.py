"""The view behind every action: GET shows the dialog, POST acts."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import CharField, HiddenInput
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View

from backoffice.accounts import stepup
from backoffice.site import doing, proving
from backoffice.site.actions import ActionForm
from backoffice.site.versions import version_of

# Sent by our script, which shows the answer in a dialog instead of on a page of its own.
DIALOG_HEADER = "X-Backoffice-Dialog"
_VERSION, _NEXT = "record_version", "next"


def with_step_up(
    form: ActionForm, request: HttpRequest, *, wanted: bool, factor: bool = False
) -> ActionForm:
    """Add the field for a proof when the dialog wants a fresh one and there is none.

    `factor`: it is about clear values, for which the password alone is no proof.
    """
    if proving.FIELD in form.fields or not (wanted or factor):
        return form
    if not stepup.is_fresh(request, factor=factor):
        form.fields[proving.FIELD] = proving.field_for(request, factor=factor)
    return form


def is_ready(form: ActionForm, request: HttpRequest) -> bool:
    """Validate, then check the proof if one was asked for (errors go into the form)."""
    if not form.is_valid():
        return False
    if proving.FIELD not in form.fields:
        return True
    factor = getattr(form.fields[proving.FIELD], "factor", False)
    if why_not := proving.refusal(request, form.cleaned_data[proving.FIELD], factor=factor):
        form.add_error(proving.FIELD, why_not)
    return not why_not


def unproved(
    request: HttpRequest, site: Any, *, title: Any, back: str, factor: bool = False
) -> HttpResponse | None:
    """Return the page that asks for fresh proof before a POST goes on; None when it may.

    What was posted stands in the page and is posted again with the proof.
    """
    form = ActionForm(request.POST if proving.FIELD in request.POST else None, request=request)
    with_step_up(form, request, wanted=True, factor=factor)
    if proving.FIELD not in form.fields or (form.is_bound and is_ready(form, request)):
        return None
    own = {proving.FIELD, "csrfmiddlewaretoken"}
    context = {
        **site.each_context(request),
        "title": title,
        "action": {"label": title, "icon": "download"},
        "form": form,
        "kept": [(name, value) for name, values in request.POST.lists() for value in values
                 if name not in own],
        "form_action": request.get_full_path(),
        "submit_label": title,
        "back_url": back,
        "dialog_base": "backoffice/page.html",
    }  # fmt: skip
    status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
    return TemplateResponse(request, "backoffice/proof.html", context, status=status)


def finish(request: HttpRequest, back: str, message: Any) -> HttpResponse:
    """Say what happened and lead on; a script that shows dialogs gets the address in a header."""
    if message:
        messages.success(request, message)
    if DIALOG_HEADER in request.headers:
        return HttpResponse(status=204, headers={"X-Backoffice-Location": back})
    return HttpResponseRedirect(back)


def back_address(request: HttpRequest, otherwise: str) -> str:
    """Return the address that the dialog was asked to lead back to, if it is on this host."""
    wanted = request.POST.get(_NEXT) or request.GET.get(_NEXT) or ""
    if wanted and url_has_allowed_host_and_scheme(wanted, {request.get_host()}):
        return urlsplit(wanted)._replace(scheme="", netloc="").geturl()
    return otherwise


def base_template(request: HttpRequest) -> str:
    """Return what a dialog extends: nothing when a script asked, else the whole page."""
    as_fragment = DIALOG_HEADER in request.headers
    return "backoffice/fragment.html" if as_fragment else "backoffice/page.html"


def by_itself(page: Any, request: HttpRequest, obj: Any, form: Any) -> None:
    """Stand for the handler that an Action has, where the view acts."""


class ActionView(View):
    """One action of one page; `as_view(page=…, spec=…)`."""

    page: Any = None
    spec: Any = None  # an Action; as_view() takes only names that stand here

    def get(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Show the dialog; nothing changes."""
        obj = self._object(request, object_id)
        self._require(request, obj)
        if not self.spec.shown_for(obj):
            return self._too_late(request, obj)
        form = self._form(request, obj)
        return self._dialog(request, obj, form)

    def post(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Act, or show the dialog again with what is wrong (400; 409 for a changed record)."""
        obj = self._object(request, object_id)
        self._require(request, obj)
        if not self.spec.shown_for(obj):
            doing.note_refusal(self.page, self.spec, request, obj)
            return self._too_late(request, obj)
        form = self._form(request, obj, request.POST)
        if not is_ready(form, request):
            return self._dialog(request, obj, form, status=400)
        if obj is not None and request.POST.get(_VERSION) != version_of(obj):
            form.add_error(None, doing.STALE)
            return self._dialog(request, obj, form, status=HTTPStatus.CONFLICT)
        try:
            message = doing.perform(self.page, self.spec, request, obj, form)
        except ValidationError as error:
            show_error(form, error)
            return self._dialog(request, obj, form, status=400)
        if isinstance(message, HttpResponse):
            return message
        back = self._back(request, obj)
        return finish(request, back, doing.with_link(self.page, obj, message, back))

    def _object(self, request: HttpRequest, object_id: str | None) -> Any:
        if object_id is None:
            return None
        obj = self.page.record_or_none(request, object_id)
        if obj is None:
            raise Http404
        return obj

    def _require(self, request: HttpRequest, obj: Any) -> None:
        """Ask the policy; a refused POST goes on the record."""
        if self.page.allows(request, self.spec.permission, obj):
            return
        if request.method == "POST":
            doing.note_refusal(self.page, self.spec, request, obj)
        raise PermissionDenied

    def _too_late(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Say that the state of the record does not allow it (any more), and where to look."""
        context = {
            **self.page.admin_site.each_context(request),
            **self.page.record_context(request, obj),
            "title": self.spec.label,
            "action": self.spec,
            "why_not": self.spec.refusal(obj) or doing.TOO_LATE,
            "back_url": self._back(request, obj),
            "dialog_base": base_template(request),
        }
        template = "backoffice/refused.html"
        return TemplateResponse(request, template, context, status=HTTPStatus.CONFLICT)

    def _form(self, request: HttpRequest, obj: Any, data: Any = None) -> ActionForm:
        files = request.FILES if data is not None else None
        form = self.spec.form(data, files, request=request, instance=obj)
        form.fields[_NEXT] = CharField(
            required=False, widget=HiddenInput, initial=request.GET.get("next", "")
        )
        if obj is not None:
            form.fields[_VERSION] = CharField(
                required=False, widget=HiddenInput, initial=version_of(obj)
            )
        return with_step_up(form, request, wanted=self.spec.step_up, factor=self.spec.factor)

    def _dialog(
        self,
        request: HttpRequest,
        obj: Any,
        form: ActionForm,
        status: int = 200,
    ) -> HttpResponse:
        context = {
            **self.page.admin_site.each_context(request),
            **self.page.record_context(request, obj),
            "title": self.spec.label,
            "action": self.spec,
            "object": obj,
            "form": form,
            "intro": form.intro(),
            "rule": form.rule() or doing.rule_text(self.spec),
            "submit_label": form.submit_label() or self.spec.submit or self.spec.label,
            "back_url": self._back(request, obj),
            "dialog_base": base_template(request),
        }
        if self.spec.context is not None:
            context.update(self.spec.context(self.page, request, obj))
        template = self.spec.template or "backoffice/dialog.html"
        return TemplateResponse(request, template, context, status=status)

    def _back(self, request: HttpRequest, obj: Any) -> str:
        """Return where to go afterwards: the posted address on this host, else the record."""
        home = self.page.list_url() if obj is None else self.page.record_url(obj)
        return back_address(request, str(home))


def show_error(form: ActionForm, error: ValidationError) -> None:
    """Put a refusal of a service at its field, or on top when the dialog has no such field."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        form.add_error(name if name in form.fields else None, ValidationError(errors))
