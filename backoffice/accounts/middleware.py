"""Each request of somebody signed in: has the session lasted long enough, is it still in use."""

import time
from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.accounts import acting, sessions
from backoffice.accounts.models import User
from backoffice.audit import context

Handler = Callable[[HttpRequest], HttpResponse]
# Sent by our script when a page asks by itself: that nobody is there does not keep a session.
POLL_HEADER = "X-Backoffice-Poll"


class SessionMiddleware:
    """End a session past its limits; note once a minute that one is used."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Run the request as somebody signed in, or as nobody where the session is over."""
        user = request.user
        if request.session.session_key and isinstance(user, User):
            if why := sessions.why_over(request):
                sessions.ran_out(request, user, why)
                request.user = AnonymousUser()
                messages.info(request, _said(why))
            elif POLL_HEADER not in request.headers and _is_old(request):
                sessions.touch(request, user)
        return self.get_response(request)


class ActingMiddleware:
    """On the seller site, run a request in the name of the person that somebody acts for.

    Everywhere else whoever acts is themselves; what is about signing in waits until they end it.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Put the other person into `request.user`, and both into the record."""
        row = acting.current(request) if acting.KEY in request.session else None
        if row is None:
            return self.get_response(request)
        if request.path.startswith(reverse("account_login").removesuffix("login/")):
            acting.note_refusal(request, row, "account")
            return render(request, "accounts/acting_refused.html", {"row": row}, status=403)
        if not request.path.startswith(reverse(f"{acting.SITE}:index")):
            return self.get_response(request)
        request.acting = row  # type: ignore[attr-defined]
        request.user = row.person
        with context.in_the_name_of_another(row.actor_id):
            return self.get_response(request)


def _is_old(request: HttpRequest) -> bool:
    return bool(time.time() - request.session.get(sessions.SEEN, 0) > sessions.TOUCH_SECONDS)


def _said(why: str) -> str:
    if why == "idle":
        return _("You were signed out because nothing was done for a while.")
    return _("You were signed out because the session lasted as long as it may. Sign in again.")
