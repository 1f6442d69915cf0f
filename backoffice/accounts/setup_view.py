"""The page of the first run, and the middleware that leads there while it waits."""

import zoneinfo
from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import login, password_validation
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView

from backoffice.accounts import installation, setup
from backoffice.accounts.models import User
from backoffice.audit import context as origin

Handler = Callable[[HttpRequest], HttpResponse]
CURRENCIES = (
    "AUD", "BHD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR",
    "ILS", "INR", "JPY", "KRW", "KWD", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "SAR",
    "SEK", "SGD", "THB", "TRY", "TWD", "USD", "VND", "ZAR",
)  # fmt: skip


class SetupForm(forms.Form):
    """Code, company, owner."""

    code = forms.CharField(
        label=_("Set-up code"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
        help_text=_("Printed on the server by: manage.py setup_code"),
    )
    company = forms.CharField(label=_("Company"), max_length=120)
    currency = forms.ChoiceField(label=_("Currency"), choices=[(code, code) for code in CURRENCIES])
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [(name, name) for name in sorted(zoneinfo.available_timezones())],
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    name = forms.CharField(label=_("Your name"), max_length=150)
    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    email = forms.EmailField(label=_("Your mail address"))
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters. Several words are easier to remember than signs."),
    )
    again = forms.CharField(
        label=_("Password, once more"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for a good password, twice the same."""
        data = super().clean() or {}
        if data.get("password") != data.get("again"):
            self.add_error("again", _("The two differ."))
        person = User(username=data.get("username", ""), email=data.get("email", ""))
        try:
            password_validation.validate_password(data.get("password", ""), person)
        except ValidationError as error:
            self.add_error("password", error)
        return data

    def plan(self) -> setup.Plan:
        """Return what was decided."""
        names = setup.Plan.__dataclass_fields__
        return setup.Plan(**{name: self.cleaned_data[name] for name in names})


class SetupView(FormView):
    """Open while nobody is in the database; afterwards there is no such page."""

    template_name = "accounts/setup.html"
    form_class = SetupForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer 404 where the set-up is done."""
        if not setup.is_open():
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def get_initial(self) -> dict[str, Any]:
        """Propose what the settings say."""
        return {
            "currency": settings.BACKOFFICE_CURRENCY,
            "time_zone": settings.TIME_ZONE,
            "language": translation.get_language(),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the words of the frame."""
        words = {"title": _("Set up"), "site_header": _("Backoffice"), "site_name": "admin"}
        return super().get_context_data(**words, **kwargs)

    def form_valid(self, form: SetupForm) -> HttpResponse:
        """Set up, sign the owner in, and lead to the second factor."""
        try:
            owner = setup.set_up(
                form.plan(), code=form.cleaned_data["code"], address=origin.current().address
            )
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        except setup.AlreadySetUpError:
            raise Http404 from None
        login(self.request, owner, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("mfa_index")

    def form_invalid(self, form: SetupForm) -> HttpResponse:
        """Show what is wrong."""
        return self.render_to_response(self.get_context_data(form=form), status=400)


class SetupMiddleware:
    """While the set-up waits, lead every page to it; afterwards use what it decided."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Lead to the set-up, or run the request in the company's zone and language."""
        if not settings.BACKOFFICE_SETUP:
            return self.get_response(request)
        if installation.current() is None:
            where = reverse("setup")
            if request.path != where and setup.is_open():
                return redirect(where)
            return self.get_response(request)
        code = str(translation.get_language())
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
            code = installation.language_of(request.headers.get("Accept-Language", ""))
            request.LANGUAGE_CODE = code
        with timezone.override(installation.zone()), translation.override(code):
            return self.get_response(request)
