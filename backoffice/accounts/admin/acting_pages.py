"""Acting for a seller's member: how it begins on the staff site, its banner and its end."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting
from backoffice.accounts.models import User
from backoffice.site import ReasonForm, SitePage, dialogs


class ActForm(ReasonForm):
    """Asks why; the person reads it."""

    recorded = gettext_lazy("Both names on everything that is done, and your reason.")
    reason = forms.CharField(
        label=gettext_lazy("Why?"),
        max_length=200,
        help_text=gettext_lazy("The person you act for gets it by mail."),
    )

    def intro(self) -> str:
        """Say what will happen."""
        return _(
            "For 30 minutes you see and do on the seller site what this person can. Deciding, "
            "revealing, exporting, passwords and second factors stay theirs."
        )


def begin(request: HttpRequest, person: User, reason: str) -> HttpResponse:
    """Begin, and lead to the seller site."""
    row = acting.begin(person, actor=request.user, reason=reason)  # type: ignore[arg-type]
    request.session[acting.KEY] = row.pk
    return dialogs.finish(request, reverse(f"{acting.SITE}:index"), "")


class EndActingPage(SitePage):
    """POST ends it and leads back to the staff site."""

    path, name = "acting/end/", "acting_end"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """End it; whoever acts for nobody is sent to their start."""
        row = getattr(request, "acting", None)
        if row is None:
            return redirect(f"{self.site.name}:index")
        acting.end(row)
        request.session.pop(acting.KEY, None)
        return redirect("admin:index")


def banner(site: Any, request: HttpRequest) -> dict[str, Any]:
    """Return what the frame of each page says while somebody acts for the person."""
    row = getattr(request, "acting", None)
    if row is None:
        return {}
    try:
        return {"acting": row, "acting_end_url": reverse(f"{site.name}:acting_end")}
    except NoReverseMatch:
        return {}
