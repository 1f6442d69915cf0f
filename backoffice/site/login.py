"""The sign-in form of both sites."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    """Asks for user name and password; which site lets the person in, the site decides.

    Django's form for its admin refuses everybody who is not staff, and so every seller.
    """

    error_messages = {
        "invalid_login": _("User name and password do not match."),
        "inactive": _("User name and password do not match."),
    }
    required_css_class = "required"

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        """Mark the fields for password managers."""
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = _("User name")
        self.fields["username"].widget = forms.TextInput(
            attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}
        )
