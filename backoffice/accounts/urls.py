"""The addresses of signing in: those of allauth's views that we use, and no other."""

from allauth.account import views as account
from allauth.account.decorators import reauthentication_required
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.db.transaction import atomic
from django.urls import path, re_path
from django.views.generic import RedirectView

from backoffice.accounts import views

# Changes of factors and passwords: fresh proof first; change, event and mail in one transaction.
_fresh = reauthentication_required(app="allauth.mfa")

urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("login/code/", views.MailedCodeView.as_view(), name="account_confirm_login_code"),
    path("login/passkey/", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path("login/factor/", mfa.authenticate, name="mfa_authenticate"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("again/", account.reauthenticate, name="account_reauthenticate"),
    path("again/factor/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("again/passkey/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("password/", _fresh(atomic(account.password_change)), name="account_change_password"),
    # Who signs in elsewhere only has no password here, and needs none.
    path(
        "password/set/",
        RedirectView.as_view(pattern_name="mfa_index"),
        name="account_set_password",
    ),
    path("reset/", account.password_reset, name="account_reset_password"),
    path("reset/sent/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "reset/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/$",
        atomic(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path("sso/<slug:provider_id>/", oidc.login, name="openid_connect_login"),
    path("sso/<slug:provider_id>/back/", views.sso_callback, name="openid_connect_callback"),
    path("sso-failed/", views.SsoFailedView.as_view(), name="socialaccount_login_cancelled"),
    path("factors/", mfa.index, name="mfa_index"),
    path("factors/app/", atomic(totp.activate_totp), name="mfa_activate_totp"),
    path("factors/app/remove/", atomic(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("factors/passkeys/", webauthn.list_webauthn, name="mfa_list_webauthn"),
    path("factors/passkeys/add/", atomic(webauthn.add_webauthn), name="mfa_add_webauthn"),
    path("factors/passkeys/<int:pk>/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path(
        "factors/passkeys/<int:pk>/remove/",
        atomic(views.RemovePasskeyView.as_view()),
        name="mfa_remove_webauthn",
    ),
    path("factors/codes/", atomic(recovery.view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "factors/codes/new/",
        atomic(recovery.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
]
