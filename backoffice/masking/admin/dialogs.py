"""Dialogs to reveal a value, to note its copy, and to ask for access; below every masked page."""

from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.http import require_POST

from backoffice.accounts import stepup
from backoffice.audit.addresses import client_address
from backoffice.masking import services
from backoffice.masking.fields import MaskedMixin
from backoffice.policy import codename, may
from backoffice.site import (
    ActionForm,
    ReasonForm,
)
from backoffice.site.actions import Action
from backoffice.site.dialogs import (
    DIALOG_HEADER,
    ActionView,
    base_template,
    by_itself,
    is_ready,
)
from backoffice.site.visitors import signed_in

TOO_MANY = 429


class RevealForm(ActionForm):
    """Why somebody looks at a clear value."""

    purpose = forms.ChoiceField(
        label=_("Why do you need it?"), choices=services.Purpose, widget=forms.RadioSelect
    )
    text = forms.CharField(
        label=_("In a few words"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Seen by the privacy officer. No personal data, please."),
    )

    def reason(self) -> services.Reason:
        """Return what was filled in, valid or not."""
        return services.Reason(self.data.get("purpose", ""), self.data.get("text", ""))

    def rule(self) -> str:
        """Return how many more records the person may look into."""
        left = services.allowance(signed_in(self.request))
        text = _("%(hour)s more records this hour, %(day)s today")
        return str(text) % {"hour": max(0, left.hour), "day": max(0, left.day)}


class AskForm(ReasonForm):
    """Why somebody needs access to one record."""

    recorded = _("You, the time, this record and your reason. Somebody else decides.")
    minutes = forms.IntegerField(
        label=_("For how many minutes?"),
        min_value=1,
        max_value=services.LONGEST_GRANT_MINUTES,
        initial=services.GRANT_MINUTES,
        help_text=_("From the approval on, eight hours (480) at most. As short as will do."),
    )

    def intro(self) -> Promise:
        """Say what will happen."""
        return _(
            "Somebody else has to agree. Then you can reveal single values of this record for "
            "a short time, each with a reason."
        )


class _FieldView(ActionView):
    """A dialog about one masked field of one record."""

    field = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer 404 for a field that is not masked."""
        self.field = kwargs.pop("field")
        try:
            column = self.page.model._meta.get_field(self.field)
        except FieldDoesNotExist:
            raise Http404 from None
        if not isinstance(column, MaskedMixin):
            raise Http404
        return super().dispatch(request, *args, **kwargs)


class RevealView(_FieldView):
    """GET asks why; POST records it and shows the value for a minute."""

    def post(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Show the value; 400 with what is missing, 403 without the right, 429 over the limit."""
        obj = self._object(request, object_id)
        form: Any = self._form(request, obj, request.POST)
        allowed = bool(may(request.user, "reveal", obj, self.field))
        # Without the right the service is asked all the same: it records the attempt.
        if allowed and not is_ready(form, request):
            return unstored(self._dialog(request, obj, form, status=400))
        try:
            value = services.reveal(
                obj,
                self.field,
                actor=signed_in(request),
                reason=form.reason(),
                fresh=stepup.is_fresh(request, factor=True),
            )
        except services.RevealRefusedError as refused:
            show_limit(form, refused)
            return unstored(self._dialog(request, obj, form, status=TOO_MANY))
        return self._shown(request, obj, value)

    def _shown(self, request: HttpRequest, obj: Any, value: services.RevealedValue) -> HttpResponse:
        context = {
            **self.page.admin_site.each_context(request),
            **self.page.record_context(request, obj),
            **_about(request, obj, self.field),
            "title": _("Revealed"),
            "value": value,
            "copied_url": self.page.url_of("copied", value.event, self.field),
            "back_url": self._back(request, obj),
            "dialog_base": base_template(request),
        }
        response = unstored(TemplateResponse(request, "masking/revealed.html", context))
        if DIALOG_HEADER not in request.headers:
            # Without scripts the page goes by itself.
            response["Refresh"] = f"{value.seconds}; url={context['back_url']}"
        return response


class CopiedView(View):
    """Notes that a shown value was copied (POST, by the script, before it copies)."""

    page: Any = None

    @method_decorator(require_POST)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Take a POST alone."""
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, event: int, field: str) -> HttpResponse:
        """Answer 204 once it is on the record, 404 without such a reveal of this person."""
        if not services.note_copied(event, actor=signed_in(request), field_name=field):
            raise Http404
        return unstored(HttpResponse(status=204))


class AskView(_FieldView):
    """Ask a second person for access to one record."""


def show_limit(form: ActionForm, refused: services.RevealRefusedError) -> None:
    """Put what is said of a limit into the form. Raises any other refusal, which is a 403."""
    if refused.rule != services.OVER_LIMIT:
        raise refused
    form.add_error(None, str(refused))


def unstored(response: HttpResponse) -> HttpResponse:
    """Let no browser and no proxy keep an answer that may hold a clear value."""
    response["Cache-Control"] = "no-store, private"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _about(request: HttpRequest, obj: Any, field: str) -> dict[str, Any]:
    """Return what the dialog says of the field, and what will be recorded."""
    column = obj._meta.get_field(field)
    return {
        "field_name": field,
        "field_label": capfirst(str(column.verbose_name)),
        "mask": getattr(obj, field),
        "record_kind": obj._meta.verbose_name,
        "person": request.user,
        "address": client_address(request),
        "seconds": services.SHOWN_SECONDS,
    }


def _about_request(page: Any, request: HttpRequest, obj: Any) -> dict[str, Any]:
    match = request.resolver_match
    if match is None:
        return {}
    over = services.is_over(signed_in(request), [obj])
    return {**_about(request, obj, match.kwargs["field"]), "over": over}


def _ask(page: Any, request: HttpRequest, obj: Model, form: AskForm) -> str:
    given = form.cleaned_data
    services.request_grant(
        obj, actor=signed_in(request), reason=given["reason"], minutes=given["minutes"]
    )
    # Markup, so that no link to the history follows: nothing of the record changed.
    text = _("Asked. You can reveal values of this record once somebody agreed.")
    return format_html("{}", text)


def _reveal_spec(page: Any) -> Action:
    return Action(
        name="reveal",
        label=_("Reveal"),
        permission=codename("reveal", page.model),
        handler=by_itself,
        form=RevealForm,
        icon="visibility",
        submit=_("Reveal for 60 seconds"),
        step_up=True,
        factor=True,
        template="masking/reveal.html",
        context=_about_request,
    )


def _ask_spec(page: Any) -> Action:
    return Action(
        name="ask",
        label=_("Ask for access"),
        permission=codename("view", page.model),
        handler=_ask,
        form=AskForm,
        icon="key",
        submit=_("Ask for access"),
    )


def urls(page: Any) -> list[URLPattern]:
    """Return the addresses below a page with masked fields."""
    opts, wrap = page.opts, page.admin_site.admin_view
    prefix = f"{opts.app_label}_{opts.model_name}"
    reveal = RevealView.as_view(page=page, spec=_reveal_spec(page))
    ask = AskView.as_view(page=page, spec=_ask_spec(page))
    copied = CopiedView.as_view(page=page)
    return [
        path("<path:object_id>/reveal/<str:field>/", wrap(reveal), name=f"{prefix}_reveal"),
        path("<path:object_id>/ask/<str:field>/", wrap(ask), name=f"{prefix}_ask"),
        path("copied/<int:event>/<str:field>/", wrap(copied), name=f"{prefix}_copied"),
    ]
