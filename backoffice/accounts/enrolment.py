"""Who must have a second factor and has none, past the grace, reaches nothing but enrolment."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from backoffice.accounts import factors

Handler = Callable[[HttpRequest], HttpResponse]
# What somebody who is held may open: factors, proof of who they are, the way out.
OPEN = frozenset(
    {
        "account_login",
        "account_logout",
        "account_reauthenticate",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
        "mfa_index",
        "mfa_activate_totp",
        "mfa_list_webauthn",
        "mfa_add_webauthn",
        "mfa_edit_webauthn",
        "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes",
    }
)
# Signing out by a site's own button; scripts' texts; reports that browsers send by themselves.
OPEN_OF_SITES = frozenset({"logout", "jsi18n"})
_API = "/api/"


class EnrolmentMiddleware:
    """Lead everywhere else to enrolment; answer the API with 403."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Run the request."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Let the request through, or not."""
        match = request.resolver_match
        names = OPEN_OF_SITES if match is not None and match.namespaces else OPEN
        if (match is not None and match.url_name in names) or not factors.is_held(request):
            return None
        if request.path.startswith(_API):
            said = _("Your role needs a second factor. Set one up on the pages for people first.")
            return JsonResponse({"detail": said}, status=403)
        return redirect("mfa_index")
