"""What the pages of signing in need beside their forms."""

import re
from copy import deepcopy
from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from backoffice.accounts import factors
from backoffice.accounts.models import User

register = template.Library()
_PATH = re.compile(r'\sd="([MLHVZmlhvz0-9 .,-]+)"')
_BOX = re.compile(r'viewBox="([0-9 .]+)"')


@register.simple_tag(takes_context=True)
def factor_duty(context: template.Context) -> dict[str, Any]:
    """Return whether a second factor is `missing`, by when (`ends`), and whether that is over."""
    request: HttpRequest = context["request"]
    user = request.user
    if not isinstance(user, User) or not factors.is_due(user) or factors.has_factor(user):
        return {"missing": False, "held": False, "ends": None}
    ends = factors.grace_ends(user)
    return {"missing": True, "held": factors.is_held(request), "ends": ends}


@register.simple_tag
def qr_svg(svg: str) -> SafeString:
    """Draw the QR code anew from path and box alone: nothing else of the markup gets in."""
    path, box = _PATH.search(svg), _BOX.search(svg)
    if path is None or box is None:
        return SafeString()
    return mark_safe(  # noqa: S308 - digits, dots and letters of a path only, see the patterns
        f'<svg viewBox="{box.group(1)}" xmlns="http://www.w3.org/2000/svg" aria-hidden="true">'
        f'<path d="{path.group(1)}"/></svg>'
    )


@register.simple_tag
def passkey_options(data: dict[str, Any]) -> dict[str, Any]:
    """Return the browser's options with what a passkey needs that is to do without a password."""
    made = deepcopy(data)
    chosen = made["creation_options"]["publicKey"].setdefault("authenticatorSelection", {})
    chosen.update(residentKey="required", requireResidentKey=True, userVerification="required")
    return made


@register.simple_tag
def sso_providers() -> list[dict[str, str]]:
    """Return name and address of each provider of single sign-on."""
    return [
        {"name": row["name"], "url": reverse("openid_connect_login", args=[row["id"]])}
        for row in settings.BACKOFFICE_SSO
    ]
