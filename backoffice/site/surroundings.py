"""What surrounds the pages of signing in, which belong to no site: the look of one, and a frame."""

from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import doors, factors
from backoffice.site.sites import BackofficeSite, seller_site, staff_site

TITLES: dict[str, str | Promise] = {
    "account_login": _("Sign in"),
    "account_confirm_login_code": _("Enter the code from your mail"),
    "mfa_login_webauthn": _("Sign in with a passkey"),
    "mfa_authenticate": _("One more step"),
    "openid_connect_login": _("Sign in"),
    "openid_connect_callback": _("Sign in"),
    "socialaccount_login_error": _("Signing in did not work"),
    "socialaccount_login_cancelled": _("Signing in did not work"),
    "account_logout": _("Sign out"),
    "account_inactive": _("This account is blocked"),
    "account_reauthenticate": _("Show that it is you"),
    "mfa_reauthenticate": _("Show that it is you"),
    "mfa_reauthenticate_webauthn": _("Show that it is you"),
    "account_change_password": _("Change password"),
    "account_reset_password": _("A new password"),
    "account_reset_password_done": _("Look into your mail"),
    "account_reset_password_from_key": _("Choose a new password"),
    "account_reset_password_from_key_done": _("Your password is changed"),
    "mfa_index": _("How you sign in"),
    "mfa_activate_totp": _("Set up an authenticator app"),
    "mfa_deactivate_totp": _("Remove the authenticator app"),
    "mfa_list_webauthn": _("Passkeys"),
    "mfa_add_webauthn": _("Add a passkey"),
    "mfa_edit_webauthn": _("Name a passkey"),
    "mfa_remove_webauthn": _("Remove a passkey"),
    "mfa_view_recovery_codes": _("Recovery codes"),
    "mfa_generate_recovery_codes": _("New recovery codes"),
}


def surroundings(request: HttpRequest) -> dict[str, Any]:
    """Return title, look and frame of a page of signing in; nothing for other pages.

    Whoever is held until they have a second factor gets a frame without the site's pages.
    """
    match = request.resolver_match
    if match is None or match.namespaces or match.url_name not in TITLES:
        return {}
    site = _site(request)
    inside = site.has_permission(request) and not factors.is_held(request)
    return {
        **site.each_context(request),
        "title": TITLES[match.url_name],
        "home_url": doors.home_of(request.user),
        "page_of_factors": True,
        "frame": "backoffice/page.html" if inside else "backoffice/held.html",
    }


def _site(request: HttpRequest) -> BackofficeSite:
    if request.user.is_authenticated:
        name = doors.site_of(request.user)
    else:
        pending = request.session.get("account_login") or {}
        wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME)
        path = str(wanted or pending.get("redirect_url") or "")
        name = seller_site.name if path.startswith("/seller/") else ""
    return seller_site if name == seller_site.name else staff_site
