"""The forms of signing in where they differ from allauth's."""

from typing import Any

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.forms import (
    ChangePasswordForm as AllauthChangePasswordForm,
)
from allauth.account.forms import (
    LoginForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    UserTokenForm,
)
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, BaseAuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import codes, factors, lockout, stepup

_CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}


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


class MailedCodeForm(forms.Form):
    """Asks for the code from the mail."""

    code = forms.CharField(label=_("Code"), max_length=20, widget=forms.TextInput(attrs=_CODE))


class _OnceMixin(BaseAuthenticateForm):
    """Checks a code of an app, or a recovery code: good once in every process, tries counted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Put our words on the field."""
        super().__init__(*args, **kwargs)
        self.fields["code"] = MailedCodeForm.base_fields["code"]

    def clean_code(self) -> str:
        """Use up the code. Raises ValidationError where it is wrong or no try is allowed now."""
        code: str = self.cleaned_data["code"]
        try:
            attempt = lockout.begin(context.request, "code", user=self.user)
            found = codes.use(self.user, code)
            if found is not None:
                lockout.succeeded(attempt)
                found.user, self.authenticator = self.user, found
                return code
            self._note_failure()
            lockout.failed(attempt)
        except lockout.PausedError as error:
            raise ValidationError(str(error), code="paused") from None
        raise get_adapter().validation_error("incorrect_code")

    def _note_failure(self) -> None:
        factor = self.user.authenticator_set.exclude(type="webauthn").order_by("-type").first()
        if factor is not None:
            self._emit_authentication_failed(factor)


class FactorForm(_OnceMixin, AuthenticateForm):
    """The code after the password."""


class FactorAgainForm(_OnceMixin, ReauthenticateForm):
    """The code as fresh proof."""


class AppForm(ActivateTOTPForm):
    """The first code of a new app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Put our words on the field."""
        super().__init__(*args, **kwargs)
        self.fields["code"] = MailedCodeForm.base_fields["code"]

    def clean_code(self) -> str:
        """Take it for fresh proof too: from now on a password is none."""
        code: str = super().clean_code()
        stepup.mark(context.request, stepup.CODE)
        factors.note_added(context.request)
        return code


class PasskeyForm(AddWebAuthnForm):
    """A new passkey: a name, and what the browser answered. Each can be used alone."""

    name = forms.CharField(label=_("Name"), max_length=60)
    passwordless = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean_passwordless(self) -> bool:
        """Take none that does not ask for finger, face or PIN, whatever was posted."""
        return True

    def clean(self) -> dict[str, Any]:
        """Take a good one for fresh proof too: from now on a password is none."""
        values: dict[str, Any] = super().clean()
        if "credential" in values:
            stepup.mark(context.request, stepup.PASSKEY)
            factors.note_added(context.request)
        return values


class AskResetForm(ResetPasswordForm):
    """Asks for the mail address; the answer is the same whether there is an account or not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Put our words on the field."""
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("Your mail address")
        self.fields["email"].widget.attrs = {"autocomplete": "email", "autofocus": True}

    def clean_email(self) -> str:
        """Count the request. Raises ValidationError when no further one is allowed now."""
        typed = self.cleaned_data["email"]
        try:
            lockout.begin(context.request, "reset", name=typed)
        except lockout.PausedError as error:
            raise ValidationError(str(error), code="paused") from None
        return super().clean_email()  # type: ignore[no-any-return]

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Mail the link to each account with this address; to nobody where there is none."""
        email: str = self.cleaned_data["email"]
        for user in self.users:
            get_account_adapter(request).send_password_reset_mail(user, email, {})
        return email


class LinkForm(UserTokenForm):
    """The key of a reset link; blocked people have none."""

    def _get_user(self, uidb36: str) -> Any:
        user = super()._get_user(uidb36)
        return user if user is not None and user.is_active else None


class NewPasswordForm(ResetPasswordKeyForm):
    """A new password, by a mailed link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Put our words on the fields."""
        super().__init__(*args, **kwargs)
        _word(self.fields, password1=_("New password"), password2=_("New password, once more"))


class ChangePasswordForm(AllauthChangePasswordForm):
    """A new password, by somebody who knows the old one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Put our words on the fields."""
        super().__init__(*args, **kwargs)
        _word(
            self.fields,
            oldpassword=_("Password now"),
            password1=_("New password"),
            password2=_("New password, once more"),
        )


def _word(fields: dict[str, forms.Field], **labels: Any) -> None:
    for name, label in labels.items():
        fields[name].label = label
        fields[name].help_text = ""
        fields[name].widget.attrs.pop("placeholder", None)
    fields["password1"].help_text = _(
        "At least 12 characters. Several words are easier to remember than signs."
    )
