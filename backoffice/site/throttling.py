"""Too often: a page that says so, with how long to wait (429, Retry-After)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from backoffice.accounts import lockout, rates
from backoffice.accounts.rates import TooManyError
from backoffice.site.sites import BackofficeSite

TOO_MANY = 429
Handler = Callable[[HttpRequest], HttpResponse]


class TooManyMiddleware:
    """Answers for any page that raised TooManyError."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Run the request."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Show the page for TooManyError, and leave the rest to others."""
        return too_many(request, error) if isinstance(error, TooManyError) else None


def spend(name: str, request: HttpRequest) -> None:
    """Count one use of `name` by the person of a page. Raises TooManyError (see `rates`)."""
    rates.spend(name, request.user.pk, actor=request.user)


def too_many(request: HttpRequest, error: TooManyError) -> HttpResponse:
    """Return the page, in the frame of the site on which it happened."""
    match = request.resolver_match
    name = match.namespaces[0] if match and match.namespaces else ""
    sites = [site for site in BackofficeSite.sites if site.name == name]
    context = {
        **(sites[0].each_context(request) if sites else {}),
        "title": _("Too often"),
        "text": lockout.text(error.wait),
        "most": error.most,
    }
    response = TemplateResponse(request, "backoffice/too_many.html", context, status=TOO_MANY)
    response["Retry-After"] = str(error.wait)
    return response
