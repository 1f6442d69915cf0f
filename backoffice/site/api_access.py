"""Who gets into the API: by a token or the session of a page, how often, and with which scope."""

from typing import Any, override

from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backoffice.accounts import factors, rates, sessions
from backoffice.accounts.limits import Verdict
from backoffice.accounts.models import Token, User
from backoffice.audit.addresses import client_address, line_of
from backoffice.policy import SELLERS, Pass, by_token, home
from backoffice.site.bearer import REALM


class GuardedView(APIView):
    """The base of every view: counts calls, names the site, lets nothing be stored."""

    spent: Verdict | None = None

    @override
    def perform_authentication(self, request: Request) -> None:
        """Find out who calls, and count it; a wrong token counts for its address alone."""
        line = line_of(client_address(request._request)) or "none"  # noqa: SLF001
        try:
            super().perform_authentication(request)
        finally:
            spend("api_address", line)
        if isinstance(request.user, User):
            by = request.auth if isinstance(request.auth, Token) else request.user
            key = f"{by._meta.model_name}:{by.pk}"
            self.spent = spend("api", key, actor=request.user)
            # A session that is held does not get this far (EnrolmentMiddleware); a token does.
            if request.auth is not None and factors.is_held(request._request):  # noqa: SLF001
                raise exceptions.PermissionDenied(
                    _("A second factor is due. Sign in on a page and set one up first.")
                )

    @override
    def finalize_response(
        self, request: HttpRequest | Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        answer["Cache-Control"] = "no-store"
        if self.spent is not None and (most := rates.most("api")):
            answer["X-RateLimit-Limit"] = str(most)
            answer["X-RateLimit-Remaining"] = str(max(0, most - self.spent.hits))
        return answer


def spend(name: str, key: str, *, actor: User | None = None) -> Verdict:
    """Count a call. Raises the API's 429, with Retry-After."""
    try:
        return rates.spend(name, key, actor=actor)
    except rates.TooManyError as error:
        raise exceptions.Throttled(wait=error.wait) from None


def site_of(request: Request) -> str:
    """Return the site whose scope counts: a session made for the seller site sees no more."""
    made_for = None if request.auth is not None else request.session.get(sessions.SITE)
    return SELLERS if made_for == SELLERS else home(request.user)


class ScopePermission(BasePermission):
    """Asks a token for the scope of the view (`needed_scope()`); None is for no token at all."""

    @override
    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, Token):
            return True
        wanted = view.needed_scope()
        if by_token(Pass(wanted, request.auth.scopes)).holds:
            return True
        if wanted is None:
            raise exceptions.PermissionDenied(_("No token may do this: a person has to."))
        refused = exceptions.PermissionDenied(
            _("This token lacks the scope %(scope)s.") % {"scope": wanted}
        )
        refused.auth_header = f'{REALM}, error="insufficient_scope", scope="{wanted}"'  # type: ignore[attr-defined]
        raise refused
