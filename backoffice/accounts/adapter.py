"""How signing in by allauth behaves here: no sign-up, own mail, redirects into our own sites."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import devices, doors, factors, lockout, resets, sso, stepup
from backoffice.accounts.models import Kind
from backoffice.audit.addresses import client_address

_SAID = {
    "account/messages/password_changed.txt": _("Your password is changed."),
    "mfa/messages/totp_activated.txt": _("The authenticator app is set up."),
    "mfa/messages/totp_deactivated.txt": _("The authenticator app is removed."),
    "mfa/messages/webauthn_added.txt": _("The passkey is added."),
    "mfa/messages/webauthn_removed.txt": _("The passkey is removed."),
}


class AccountAdapter(DefaultAccountAdapter):
    """Passwords, mails and where a person comes out after signing in."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": _("User name and password do not match."),
        "invalid_login": _("User name and password do not match."),
        "incorrect_code": _("This code is not right, or was used before."),
        "incorrect_password": _("This password is not right."),
        "enter_current_password": _("This password is not right."),
        "too_many_login_attempts": _("Too many tries. Wait a few minutes."),
        "rate_limited": _("Too many tries. Wait a few minutes."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes an account for themselves; people are invited."""
        return False

    def is_safe_url(self, url: str) -> bool:
        """Take the path of a page of ours, without a host; nothing else."""
        if not url or not url.startswith("/"):
            return False
        if not url_has_allowed_host_and_scheme(url, allowed_hosts=None):
            return False
        try:
            resolve(url.partition("?")[0].partition("#")[0])
        except Resolver404:
            return False
        return True

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Look at name and password, if a try is allowed now (see `lockout`)."""
        name = str(credentials.get("username") or credentials.get("email") or "")
        try:
            self._attempt = lockout.begin(request, "password", name=name)
            user = super().authenticate(request, **credentials)
        except lockout.PausedError as error:
            raise ValidationError(str(error), code="paused") from None
        if user is not None:
            lockout.succeeded(self._attempt)
        return user

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Leave the counting to `authenticate`: allauth's own, in the cache, is off."""

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Leave the try counted."""
        lockout.failed(self._attempt)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address under which everything else here counts too."""
        return client_address(request) or "::"

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Return the start page of the person's own site."""
        return doors.home_of(request.user)

    def get_logout_redirect_url(self, request: HttpRequest) -> str:
        """Return the sign-in page."""
        return reverse("account_login")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Return the page of the person's ways to sign in."""
        return reverse("mfa_index")

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Say what went wrong, and of what went well the little that is worth saying."""
        text = message or _SAID.get(message_template or "")
        if text:
            messages.add_message(request, level, str(text), extra_tags=extra_tags)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Ask again where the last proof is older than ten minutes."""
        return not stepup.is_fresh(self.request)

    def get_login_stages(self) -> list[str]:
        """Ask for a mailed code or the second factor between password and session."""
        return [
            "backoffice.accounts.device_stage.DeviceStage",
            "backoffice.accounts.device_stage.FactorStage",
        ]

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse | None:
        """Note what a provider proved; nothing of an earlier sign-in counts for this one."""
        extra = kwargs.get("signal_kwargs") or {}
        sso.note_proof(request, user, extra.get("sociallogin"))
        return super().pre_login(request, user, **kwargs)  # type: ignore[no-any-return]

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        """Remember the device, and when a second factor was first due."""
        response = super().post_login(request, user, **kwargs)
        with transaction.atomic():
            devices.remember(request, response, user)
            factors.note(request, user)
        return response  # type: ignore[no-any-return]

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Return where somebody proves who they are; a password does only without a factor."""
        if not user.is_authenticated:
            return []  # allauth leads them to the sign-in page
        pages = {
            stepup.PASSKEY: ("mfa_reauthenticate_webauthn", _("Use a passkey")),
            stepup.CODE: ("mfa_reauthenticate", _("Use a code")),
            stepup.PASSWORD: ("account_reauthenticate", _("Use your password")),
        }
        ways = [(way, *pages[way]) for way in stepup.methods(user)]
        return [
            {"id": way, "url": reverse(name), "description": text} for way, name, text in ways
        ] or sso.ways_of(user)

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> None:
        """Mail the link to whoever has a password; who signs in elsewhere gets none."""
        if user.has_usable_password() and user.kind == Kind.PERSON:
            reason = _("Somebody asked for it on the sign-in page.")
            with transaction.atomic():
                resets.send_link(user, actor=None, reason=reason)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send nothing past the outbox; what people are told is queued where it happens."""

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Send nothing past the outbox."""
