"""What surrounds every page: sidebar, person, the job that runs for them, the palette's words."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from backoffice.accounts.factors import is_missing
from backoffice.site import navigation

_providers: list[Callable[[Any, HttpRequest], dict[str, Any]]] = []


def contribute(provider: Callable[[Any, HttpRequest], dict[str, Any]]) -> None:
    """Let an app add to the frame; `provider(site, request)` returns template variables."""
    _providers.append(provider)


def context(site: Any, request: HttpRequest) -> dict[str, Any]:
    """Return the variables of the frame for a person who is in."""
    user = request.user
    values: dict[str, Any] = {
        "navigation": navigation.visible(site.name, request),
        "person_name": str(user),
        "person_initials": initials(str(user)),
        "person_roles": _role_texts(user),
        "home_url": reverse(f"{site.name}:index"),
        "find_url": reverse(f"{site.name}:find"),
        "factor_missing": is_missing(request),
    }
    for provider in _providers:
        values.update(provider(site, request))
    return values


def initials(name: str) -> str:
    """Return at most two capitals of a name ("Ann Whitfield" gives AW)."""
    words = [word for word in name.split() if word[:1].isalnum()]
    letters = [word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)]
    return "".join(letters).upper() or "?"


def _role_texts(user: Any) -> str:
    from backoffice.accounts.roles import roles_of  # noqa: PLC0415 - needs loaded models

    return ", ".join(roles_of(navigation.role_names(user)))
