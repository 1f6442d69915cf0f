"""The challenge of a passkey, for the dialogs that ask for fresh proof."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from backoffice.site import SitePage, proving


class ChallengePage(SitePage):
    """POST returns what the browser asks the passkey; there is nothing to look at."""

    path, name = "step-up/challenge/", "step_up_challenge"
    http_method_names = ("post",)
    own_only = True

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Begin a try."""
        return proving.challenge(request)
