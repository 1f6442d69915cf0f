"""Tokens of the API: one's own on both sites; service accounts and everybody's tokens for staff."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import scopes, service_accounts, tokens
from backoffice.accounts.models import Kind, Token, User
from backoffice.policy import may
from backoffice.site import DialogPage, ReasonForm, SitePage
from backoffice.site.dialogs import base_template, is_ready, show_error, with_step_up
from backoffice.site.visitors import signed_in

_DAYS = (7, 30, 90, 180, 365)
_LATEST = 100


def _days() -> list[tuple[int, str]]:
    longest = settings.BACKOFFICE_TOKEN_DAYS
    offered = [days for days in _DAYS if days < longest] + [longest]
    return [(days, _("%(days)d days") % {"days": days}) for days in offered]


class TokenForm(ReasonForm):
    """What a token is for, what it opens, how long and from where."""

    recorded = gettext_lazy("You, the time, what it opens and your reason. Never the token itself.")

    name = forms.CharField(label=gettext_lazy("What is it for?"), max_length=80)
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Opens"),
        choices=lambda: list(scopes.known().items()),
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("Lasts"), choices=_days, coerce=int, initial=90
    )
    addresses = forms.CharField(
        label=gettext_lazy("Only from these addresses"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy(
            "Addresses or networks, as 192.0.2.7 or 10.0.0.0/8. Empty: from any."
        ),
    )
    field_order = ["name", "scopes", "days", "addresses", "reason"]

    def wish(self) -> tokens.Wish:
        """Return what is asked for."""
        data = self.cleaned_data
        wanted = data["addresses"].replace(",", " ").split()
        return tokens.Wish(data["name"], data["scopes"], data["days"], wanted)


class TokensPage(SitePage):
    """One's own tokens."""

    own_only = True
    path, name = "tokens/", "tokens"
    title = gettext_lazy("My tokens")
    subtitle = gettext_lazy("Keys with which a program works in your name, within your rights.")
    template_name = "accounts/tokens.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the tokens, the newest first."""
        rows = Token.objects.filter(user=signed_in(request)).select_related("user", "made_by")
        live = set(tokens.live().filter(user=signed_in(request)).values_list("pk", flat=True))
        return {"tokens": rows[:_LATEST], "live": live, "new_url": self.url("token_new")}

    def url(self, name: str, *args: Any) -> str:
        """Return the address of a page of this site."""
        return reverse(f"{self.site.name}:{name}", args=args)


class NewTokenPage(DialogPage):
    """Make a token for oneself; the answer shows it, this one time."""

    own_only = True
    path, name = "tokens/new/", "token_new"
    title = gettext_lazy("New token")
    submit = gettext_lazy("Make it")
    form = TokenForm
    icon = "key"
    step_up = True
    wide = True

    def account(self, request: HttpRequest, subject: Any) -> User:
        """Return whose token it will be."""
        return signed_in(request)

    def intro(self, request: HttpRequest, subject: Any) -> str:
        """Say what it can do."""
        return _("It can do what you may do, in the parts that you choose. It is shown once.")

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Make it and show it: it is kept nowhere, so no page after this one could."""
        subject = self.subject(request, **kwargs)
        form: Any = self.form(request.POST, request=request, instance=subject)
        with_step_up(form, request, wanted=True)
        if not is_ready(form, request):
            return self._show(request, subject, form, status=400)
        try:
            made = tokens.make(
                self.account(request, subject),
                form.wish(),
                actor=signed_in(request),
                reason=form.cleaned_data["reason"],
            )
        except ValidationError as error:
            show_error(form, error)
            return self._show(request, subject, form, status=400)
        return self._once(request, subject, made)

    def _once(self, request: HttpRequest, subject: Any, made: tokens.NewToken) -> HttpResponse:
        context = {
            **self.site.each_context(request),
            "title": self.title,
            "token": made.token,
            "text": made.text,
            "back_url": self.back(request, subject),
            "dialog_base": base_template(request),
        }
        response = TemplateResponse(request, "accounts/token_made.html", context)
        response["Cache-Control"] = "no-store, private"
        return response

    def back(self, request: HttpRequest, subject: Any) -> str:
        """The list."""
        return reverse(f"{self.site.name}:tokens")


class EndTokenPage(DialogPage):
    """End a token of one's own, or with the right anybody's."""

    own_only = True
    path, name = "tokens/<int:key>/end/", "token_end"
    title = gettext_lazy("End this token")
    form = ReasonForm
    icon = "block"
    harmful = True

    def subject(self, request: HttpRequest, **kwargs: Any) -> Token:
        """Return a token that this person may end, or 404."""
        token = get_object_or_404(Token.objects.select_related("user"), pk=kwargs["key"])
        if token.user_id != signed_in(request).pk and not self._manages(request):
            raise Http404
        return token

    def _manages(self, request: HttpRequest) -> bool:
        return self.site.name == "admin" and may(request.user, tokens.MANAGE, None).allowed

    def why_not(self, request: HttpRequest, subject: Token) -> str:
        """Leave one that ended alone."""
        return _("This token has ended.") if subject.ended_at else ""

    def intro(self, request: HttpRequest, subject: Token) -> str:
        """Name it."""
        return _("%(token)s opens nothing from its next request on.") % {"token": subject}

    def act(self, request: HttpRequest, subject: Token, form: Any) -> str:
        """End it."""
        tokens.end(subject, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("The token is ended.")

    def back(self, request: HttpRequest, subject: Token) -> str:
        """The list it was on."""
        own = subject.user_id == signed_in(request).pk
        return reverse(f"{self.site.name}:{'tokens' if own else 'service_accounts'}")


class ServicesPage(SitePage):
    """Service accounts with their tokens, and the tokens of people."""

    path, name = "service-accounts/", "service_accounts"
    title = gettext_lazy("Service accounts")
    subtitle = gettext_lazy("Programs that use the API, and everybody's tokens.")
    permission = tokens.MANAGE
    template_name = "accounts/service_accounts.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return accounts and tokens in a constant number of queries."""
        accounts = User.objects.filter(kind=Kind.SERVICE).prefetch_related("tokens", "groups")
        rows = Token.objects.select_related("user", "made_by").filter(user__kind=Kind.PERSON)
        return {
            "accounts": accounts.order_by("-is_active", "first_name"),
            "tokens": rows.filter(ended_at=None)[:_LATEST],
            "live": set(tokens.live().values_list("pk", flat=True)),
        }


class ServiceForm(ReasonForm):
    """What a program is for, and its roles."""

    name = forms.CharField(label=gettext_lazy("What is it for?"), max_length=60)
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        choices=service_accounts.role_choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Revealing, deciding and moving money stay with people."),
    )
    field_order = ["name", "roles", "reason"]


class NewServicePage(DialogPage):
    """Make a service account."""

    path, name = "service-accounts/new/", "service_account_new"
    title = gettext_lazy("New service account")
    submit = gettext_lazy("Make it")
    permission = tokens.MANAGE
    form = ServiceForm
    icon = "smart_toy"
    step_up = True

    def act(self, request: HttpRequest, subject: None, form: Any) -> str:
        """Make it."""
        data = form.cleaned_data
        user = service_accounts.make(
            data["name"], data["roles"], actor=signed_in(request), reason=data["reason"]
        )
        return _("%s is made. It needs a token.") % user

    def back(self, request: HttpRequest, subject: None) -> str:
        """The list."""
        return reverse("admin:service_accounts")


class _OfService(DialogPage):
    """A dialog about one service account."""

    permission = tokens.MANAGE
    step_up = True

    def subject(self, request: HttpRequest, **kwargs: Any) -> User:
        """Return the account."""
        return get_object_or_404(User, pk=kwargs["key"], kind=Kind.SERVICE)

    def why_not(self, request: HttpRequest, subject: User) -> str:
        """Leave one that is blocked alone."""
        return "" if subject.is_active else _("This service account is blocked.")

    def back(self, request: HttpRequest, subject: User) -> str:
        """The list."""
        return reverse("admin:service_accounts")


class ServiceTokenPage(_OfService, NewTokenPage):
    """Make a token for a service account."""

    own_only = False
    path, name = "service-accounts/<int:key>/token/", "service_account_token"

    def account(self, request: HttpRequest, subject: User) -> User:
        """The program's."""
        return subject

    def intro(self, request: HttpRequest, subject: User) -> str:
        """Say for whom."""
        return _("For %(account)s, within its roles. It is shown once.") % {"account": subject}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Make it, unless the account is blocked."""
        subject = self.subject(request, **kwargs)
        if reason := self.why_not(request, subject):
            return self.refused(request, subject, reason)
        return super().post(request, **kwargs)


class BlockServicePage(_OfService):
    """Let a program in no more."""

    path, name = "service-accounts/<int:key>/block/", "service_account_block"
    title = gettext_lazy("Block this service account")
    form = ReasonForm
    icon = "block"
    harmful = True

    def intro(self, request: HttpRequest, subject: User) -> str:
        """Say what happens."""
        return _("%(account)s is out at its next request; its tokens end.") % {"account": subject}

    def act(self, request: HttpRequest, subject: User, form: Any) -> str:
        """Block it."""
        reason = form.cleaned_data["reason"]
        service_accounts.block(subject, actor=signed_in(request), reason=reason)
        return _("%s is blocked.") % subject


OWN = (TokensPage, NewTokenPage, EndTokenPage)
OF_STAFF = (ServicesPage, NewServicePage, ServiceTokenPage, BlockServicePage)


def link(site: Any, request: HttpRequest) -> dict[str, Any]:
    """Return the address of one's own tokens, for the menu of the frame."""
    try:
        return {"tokens_url": reverse(f"{site.name}:tokens")}
    except NoReverseMatch:  # a site without these pages
        return {}
