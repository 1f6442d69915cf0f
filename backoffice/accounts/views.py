"""The views of signing in that allauth has not, or not as strict as needed here."""

from typing import Any

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.stagekit import stash_login
from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.views import RemoveWebAuthnView
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView

from backoffice.accounts import lockout
from backoffice.accounts.device_stage import DeviceStage
from backoffice.accounts.forms import MailedCodeForm
from backoffice.accounts.trail import FACTOR_FAILED
from backoffice.audit.models import Outcome
from backoffice.audit.services import record


@method_decorator(
    login_stage_required(stage=DeviceStage.key, redirect_urlname="account_login"), name="dispatch"
)
class MailedCodeView(FormView):
    """Asks for the code that was mailed because the device is new."""

    template_name = "account/confirm_login_code.html"
    form_class = MailedCodeForm
    stage: DeviceStage

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Take up the pending sign-in."""
        self.stage = request._login_stage  # type: ignore[attr-defined] # noqa: SLF001 - allauth's
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check a code, or mail another one."""
        if request.POST.get("action") == "resend":
            self._resend(request)
            return redirect("account_confirm_login_code")
        return super().post(request, *args, **kwargs)

    def _resend(self, request: HttpRequest) -> None:
        if self.stage.send():
            self._keep()
            messages.info(request, _("Another code is on its way."))
        else:
            messages.error(request, _("No more codes are mailed for this sign-in. Start again."))

    def form_valid(self, form: MailedCodeForm) -> HttpResponse:
        """Go on with the sign-in where the code is right."""
        try:
            attempt = lockout.begin(self.request, "code", user=self.stage.login.user)
            if self.stage.is_right(form.cleaned_data["code"]):
                lockout.succeeded(attempt)
                return self.stage.exit()  # type: ignore[no-any-return]
            self._wrong()
            lockout.failed(attempt)
        except lockout.PausedError as error:
            form.add_error("code", str(error))
            return self.form_invalid(form)
        if self.stage.is_spent:
            messages.error(self.request, _("Too many wrong codes. Start again."))
            return self.stage.abort()  # type: ignore[no-any-return]
        form.add_error("code", _("This code is not right, or not good any more."))
        return self.form_invalid(form)

    def _wrong(self) -> None:
        self._keep()
        user = self.stage.login.user
        record(FACTOR_FAILED, actor=None, subject=user, outcome=Outcome.REFUSED)

    def _keep(self) -> None:
        stash_login(self.request, self.stage.login)


class RemovePasskeyView(RemoveWebAuthnView):
    """Removes a passkey, but not the last factor of whom one is due (allauth does not ask)."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Remove it, or say why not."""
        adapter = get_adapter()
        if not adapter.can_delete_authenticator(self.get_object()):
            form.add_error(None, adapter.validation_error("cannot_delete_authenticator"))
            return self.form_invalid(form)  # type: ignore[no-any-return]
        return super().form_valid(form)  # type: ignore[no-any-return]


class SignedTokenAdapter(OpenIDConnectOAuth2Adapter):
    """Checks the signature of every ID token, also of one fetched from the provider itself."""

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        self.did_fetch_access_token = False  # allauth trusts the connection then
        return super()._decode_id_token(app, id_token)  # type: ignore[no-any-return]


def sso_callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Take up what the provider sends."""
    try:
        adapter = SignedTokenAdapter(request, provider_id)
        return OAuth2CallbackView.adapter_view(adapter)(request)  # type: ignore[no-any-return]
    except SocialApp.DoesNotExist:
        raise Http404 from None


class SsoFailedView(TemplateView):
    """Says that the provider let nobody in."""

    template_name = "socialaccount/authentication_error.html"
