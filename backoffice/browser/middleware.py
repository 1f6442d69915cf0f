"""Headers that every answer carries, whoever gave it: a page, an error, a redirect, a file.

It has to be the first middleware, so that it sees the answers of all the others. What a view or
another middleware set already stays.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import NoReverseMatch, reverse

Handler = Callable[[HttpRequest], HttpResponse]

# A device or an interface that no page of ours asks for is off, also for a script that got in.
_OFF = (
    "accelerometer",
    "autoplay",
    "bluetooth",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "serial",
    "storage-access",
    "usb",
    "window-management",
    "xr-spatial-tracking",
)
# Passkeys; and the button that copies a value which was just revealed or made.
_OURS = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")
PERMISSIONS_POLICY = ", ".join(
    [*(f"{name}=()" for name in _OFF), *(f"{name}=(self)" for name in _OURS)]
)
# No "cookies": the session's cookie goes by name, and the one by which a device is known stays.
CLEAR_SITE_DATA = '"cache", "storage"'
GROUP = "csp"


class HeadersMiddleware:
    """Sets them, and clears the browser of a person who is signed out."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the headers."""
        response = refused_in_clear(request) or self.get_response(request)
        head = response.headers
        # Static files say how long they may be kept; nothing else may be.
        head.setdefault("Cache-Control", "no-store, private")
        head.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        head.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        head.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        head.setdefault("Referrer-Policy", "same-origin")
        head.setdefault("X-Content-Type-Options", "nosniff")
        # Django's and unfold's admin allow framing by ourselves on some pages; we frame nothing.
        head["X-Frame-Options"] = "DENY"
        if reports := _reports():
            head.setdefault("Reporting-Endpoints", f'{GROUP}="{reports}"')
        if _is_over(request, response):
            head["Clear-Site-Data"] = CLEAR_SITE_DATA
        return response


def refused_in_clear(request: HttpRequest) -> HttpResponse | None:
    """Refuse over plain http what no redirect leads to https (SECURE_REDIRECT_EXEMPT): the API.

    A program that sends its token in the clear has to notice, not to be led on without a word.
    """
    if not settings.SECURE_SSL_REDIRECT or request.is_secure():
        return None
    path = request.path.lstrip("/")
    if not any(re.search(exempt, path) for exempt in settings.SECURE_REDIRECT_EXEMPT):
        return None
    return JsonResponse({"detail": "Use https."}, status=HTTPStatus.FORBIDDEN)


def _reports() -> str:
    """Return where browsers report to, "" in a project without the address."""
    try:
        return reverse("browser-reports")
    except NoReverseMatch:
        return ""


def note_signed_out(sender: object, request: HttpRequest | None, **kwargs: Any) -> None:
    """Remember that this request ends a session (`user_logged_out`)."""
    if request is not None:
        request.session_ended = True  # type: ignore[attr-defined]


def _is_over(request: HttpRequest, response: HttpResponse) -> bool:
    """Say whether the session ended here, or had ended elsewhere before this request came."""
    cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
    taken_away = cookie is not None and not cookie.value
    return taken_away or getattr(request, "session_ended", False)
