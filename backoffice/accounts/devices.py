"""The browsers that a person has signed in with before.

A browser holds a random secret in a signed cookie; the database has a digest of it, one row a
person. The cookie by itself opens nothing: it only spares its browser the mailed code, and its
person the pauses that strangers cause.
"""

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import agents, post
from backoffice.accounts.models import Device, User
from backoffice.audit import verbs
from backoffice.audit.addresses import client_address
from backoffice.audit.services import record

# As with the session: over https by a name that binds it to this host.
COOKIE = "__Host-device" if settings.SESSION_COOKIE_SECURE else "backoffice_device"
_SALT = "backoffice.accounts.devices"
_SECONDS = 365 * 24 * 60 * 60
_LABEL_LENGTH = 120

NEW = verbs.register("accounts.device_new", _("Signed in with a new device"))
ANNOUNCED = post.register(
    "accounts.new_device",
    label=_("New device"),
    subject=_("Somebody signed in to your account with a new device"),
    fields=("device", "address"),
)


def find(request: HttpRequest, user: User) -> Device | None:
    """Return the row of this browser, if the person has signed in with it before."""
    secret = _secret(request)
    return Device.objects.filter(user=user, digest=_digest(secret)).first() if secret else None


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> Device:
    """Note that the person signed in with this browser; a new one is recorded and announced.

    Call it in a transaction: the row, the event and the mail belong together.
    """
    secret = _secret(request) or secrets.token_urlsafe(32)
    facts = {
        "label": agents.label(request.headers.get("User-Agent", ""))[:_LABEL_LENGTH],
        "address": client_address(request) or None,
    }
    device, new = Device.objects.update_or_create(user=user, digest=_digest(secret), defaults=facts)
    if new:
        _announce(device, user)
    response.set_signed_cookie(
        COOKIE,
        secret,
        salt=_SALT,
        max_age=_SECONDS,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
    return device


def _announce(device: Device, user: User) -> None:
    record(NEW, actor=user, subject=device, also=[user], context={"device": device.label})
    post.send(
        ANNOUNCED,
        to=user,
        reason=_("Somebody signed in to your account with a new device"),
        context={"device": device.label, "address": device.address or ""},
    )


def _secret(request: HttpRequest) -> str:
    return request.get_signed_cookie(COOKIE, default="", salt=_SALT, max_age=_SECONDS) or ""


def _digest(secret: str) -> str:
    return salted_hmac(_SALT, secret, algorithm="sha256").hexdigest()
