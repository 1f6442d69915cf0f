"""The forms of signing in where they differ from allauth's."""

from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.utils.translation import gettext_lazy as _


class SignInForm(LoginForm):
    """Asks for user name and password, marked for password managers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Put our words on the fields."""
        super().__init__(*args, **kwargs)
        login = self.fields["login"]
        login.label = _("User name")
        login.widget = forms.TextInput(
            attrs={"autocomplete": "username webauthn", "autofocus": True, "autocapitalize": "none"}
        )
        password = self.fields["password"]
        password.help_text = ""
        password.widget.attrs.pop("placeholder", None)
