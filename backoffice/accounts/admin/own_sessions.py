"""Where somebody is signed in: the list, ending one or all others, and the notice of another one.

The pages stand on both sites.
"""

from typing import Any

from allauth.usersessions.models import UserSession
from django.http import Http404, HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.accounts import places, sessions
from backoffice.site import DialogPage, SitePage
from backoffice.site.visitors import signed_in


class SessionsPage(SitePage):
    """One's own sessions, with device, address, place and times."""

    own_only = True
    path, name = "sessions/", "sessions"
    title = gettext_lazy("My sessions")
    subtitle = gettext_lazy("Where you are signed in. End what you do not know.")
    template_name = "accounts/sessions.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show the live ones; whoever looked at them is not told of them again."""
        rows = sessions.of(signed_in(request))
        sessions.note_seen(request, rows)
        limit = sessions.bounds(request.session.get(sessions.ROLES, []))
        return {
            "sessions": [places.shown(row, request.session.session_key) for row in rows],
            "others": len(rows) > 1,
            "elsewhere": [],
            "idle_minutes": limit.idle // 60,
            "whole_hours": limit.whole // 3600,
        }


class EndSessionPage(DialogPage):
    """End one of one's own."""

    own_only = True
    path, name = "sessions/<int:key>/end/", "session_end"
    title = gettext_lazy("End this session")
    icon = "logout"
    harmful = True

    def subject(self, request: HttpRequest, **kwargs: Any) -> UserSession:
        """Return one's own, or 404."""
        found = [row for row in sessions.of(signed_in(request)) if row.pk == kwargs["key"]]
        if not found:
            raise Http404
        return found[0]

    def why_not(self, request: HttpRequest, subject: UserSession) -> str:
        """Leave the one in use to signing out."""
        if subject.session_key == request.session.session_key:
            return _("This is the session you are using: sign out instead.")
        return ""

    def intro(self, request: HttpRequest, subject: UserSession) -> str:
        """Name it."""
        return _("%(what)s is signed out at its next click.") % {
            "what": places.shown(subject, None).device
        }

    def act(self, request: HttpRequest, subject: UserSession, form: Any) -> str:
        """End it."""
        sessions.end([subject], actor=signed_in(request))
        return _("The session is ended.")

    def back(self, request: HttpRequest, subject: UserSession) -> str:
        """The list."""
        return reverse(f"{self.site.name}:sessions")


class EndOthersPage(DialogPage):
    """End all of one's own but this one."""

    own_only = True
    path, name = "sessions/end-others/", "sessions_end_others"
    title = gettext_lazy("End all others")
    icon = "logout"
    harmful = True

    def intro(self, request: HttpRequest, subject: None) -> str:
        """Say what happens."""
        return _("Every other device is signed out at its next click. This one stays.")

    def act(self, request: HttpRequest, subject: None, form: Any) -> str:
        """End them."""
        person = signed_in(request)
        count = len(sessions.of(person)) - 1
        sessions.end_all(person, actor=person, keep=request)
        text = ngettext("%(count)s session is ended.", "%(count)s sessions are ended.", count)
        return text % {"count": count}

    def back(self, request: HttpRequest, subject: None) -> str:
        """The list."""
        return reverse(f"{self.site.name}:sessions")


PAGES = (SessionsPage, EndSessionPage, EndOthersPage)


def notice(site: Any, request: HttpRequest) -> dict[str, Any]:
    """Return what the frame of every page says of other sessions in use at the same time."""
    try:
        address = reverse(f"{site.name}:sessions")
    except NoReverseMatch:  # a site without these pages
        return {}
    return {"sessions_url": address, "elsewhere": sessions.unseen_elsewhere(request)}
