"""Dialogs to reveal a value or to ask for access, on every page with masked fields; and grants."""

from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import stepup
from backoffice.accounts.models import User
from backoffice.audit.addresses import client_address
from backoffice.masking import services
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.models import Grant
from backoffice.policy import codename, may
from backoffice.site import (
    ActionForm,
    BackofficeAdmin,
    Badge,
    ReasonForm,
    action,
    navigation,
    register,
    revealing,
    staff_site,
)
from backoffice.site.actions import Action
from backoffice.site.dialogs import DIALOG_HEADER, ActionView, base_template, is_ready

_TOO_MANY = 429


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
        left = services.allowance(_person(self.request))
        text = _("%(hour)s more records this hour, %(day)s today")
        return str(text) % {"hour": max(0, left.hour), "day": max(0, left.day)}


class AskForm(ReasonForm):
    """Why somebody needs access to one record."""

    recorded = _("You, the time, this record and your reason. Somebody else decides.")

    def intro(self) -> Promise:
        """Say what will happen."""
        return _(
            "Somebody else has to agree. Then you can reveal single values of this record for "
            "30 minutes, each with a reason."
        )


def _person(request: HttpRequest) -> User:
    """Return who is signed in; pages of a site have nobody else."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


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
            return _unstored(self._dialog(request, obj, form, status=400))
        try:
            value = services.reveal(
                obj,
                self.field,
                actor=_person(request),
                reason=form.reason(),
                fresh=stepup.is_fresh(request),
            )
        except services.RevealRefusedError as refused:
            if refused.rule != services.OVER_LIMIT:
                raise
            form.add_error(None, str(refused))
            return _unstored(self._dialog(request, obj, form, status=_TOO_MANY))
        return self._shown(request, obj, value)

    def _shown(self, request: HttpRequest, obj: Any, value: services.RevealedValue) -> HttpResponse:
        context = {
            **self.page.admin_site.each_context(request),
            **self.page.record_context(request, obj),
            **_about(request, obj, self.field),
            "title": _("Revealed"),
            "value": value,
            "back_url": self._back(request, obj),
            "dialog_base": base_template(request),
        }
        response = _unstored(TemplateResponse(request, "masking/revealed.html", context))
        if DIALOG_HEADER not in request.headers:
            # Without scripts the page goes by itself.
            response["Refresh"] = f"{value.seconds}; url={context['back_url']}"
        return response


class AskView(_FieldView):
    """Ask a second person for access to one record."""


def _unstored(response: HttpResponse) -> HttpResponse:
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
    return _about(request, obj, match.kwargs["field"]) if match else {}


def _ask(page: Any, request: HttpRequest, obj: Model, form: AskForm) -> str:
    services.request_grant(obj, actor=_person(request), reason=form.cleaned_data["reason"])
    return str(_("Asked. You can reveal values of this record once somebody agreed."))


def _reveal_spec(page: Any) -> Action:
    return Action(
        name="reveal",
        label=_("Reveal"),
        permission=codename("reveal", page.model),
        handler=_ask,  # never called: RevealView acts by itself
        form=RevealForm,
        icon="visibility",
        submit=_("Reveal for 60 seconds"),
        step_up=True,
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
        submit=_("Ask for 30 minutes"),
    )


def urls(page: Any) -> list[URLPattern]:
    """Return the addresses below a page with masked fields."""
    opts, wrap = page.opts, page.admin_site.admin_view
    prefix = f"{opts.app_label}_{opts.model_name}"
    reveal = RevealView.as_view(page=page, spec=_reveal_spec(page))
    ask = AskView.as_view(page=page, spec=_ask_spec(page))
    return [
        path("<path:object_id>/reveal/<str:field>/", wrap(reveal), name=f"{prefix}_reveal"),
        path("<path:object_id>/ask/<str:field>/", wrap(ask), name=f"{prefix}_ask"),
    ]


revealing.mount(urls)


@register(Grant, site=staff_site)
class GrantAdmin(BackofficeAdmin):
    """Who was let in to whose data, by whom, why and until when."""

    list_display = ["about", "user", "given_by", "expires_at", "status"]
    list_select_related = ["user", "given_by", "content_type"]
    list_filter = ["content_type"]
    editable = False
    list_title = _("Access given")
    list_subtitle = _("One person, one record, a short time, given by somebody else.")
    empty_text = _("Nobody was given access yet. It is asked for on the page of a record.")

    @staticmethod
    def about(grant: Grant) -> str:
        """Return the record in words."""
        return f"{grant.content_type.name} {grant.object_id}"

    @staticmethod
    def status(grant: Grant) -> Badge:
        """Return whether it counts now."""
        return Badge("wait", _("Open")) if grant.is_live else Badge("rest", _("Over"))

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Access is given by approving a request."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Keep grants: they are part of the record."""
        return False

    @action(
        _("End access"),
        permission="masking.give_grant",
        form=ReasonForm,
        icon="block",
        harmful=True,
        visible=lambda grant: grant.is_live,
    )
    def end(self, request: HttpRequest, grant: Grant, form: ReasonForm) -> str:
        """End it now."""
        services.end_grant(grant, actor=_person(request), reason=form.cleaned_data["reason"])
        return str(_("The access is over."))


navigation.add(
    staff_site,
    group=_("Oversight"),
    label=_("Access given"),
    icon="key",
    url_name="masking_grant_changelist",
    permission="masking.view_grant",
    order=85,
)
