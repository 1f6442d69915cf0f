"""Ctrl K: go to a page by its name, or to a record by its public number.

The words come by POST, so that nothing that somebody types stands in an address or an access
log. Every answer asks the policy anew; nothing is kept.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, JsonResponse
from django.urls import reverse

from backoffice.accounts import rates
from backoffice.site import navigation

_MOST = 8


def answer(site: Any, request: HttpRequest) -> JsonResponse:
    """Return `{"results": [{"title", "kind", "url", "icon"}]}` for the posted `term`.

    Asked too often, none, with 429 and Retry-After.
    """
    try:
        rates.spend("palette", request.user.pk)
    except rates.TooManyError as error:
        headers = {"Retry-After": str(error.wait)}
        return JsonResponse({"results": []}, status=429, headers=headers)
    term = request.POST.get("term", "").strip()[:80]
    return JsonResponse({"results": [*_records(site, request, term), *_pages(site, request, term)]})


def _pages(site: Any, request: HttpRequest, term: str) -> list[dict[str, str]]:
    found = [
        {"title": link.label, "kind": group.label, "url": link.url, "icon": link.icon}
        for group in navigation.visible(site.name, request)
        for link in group.links
        if term.casefold() in link.label.casefold()
    ]
    return found[:_MOST]


def _records(site: Any, request: HttpRequest, term: str) -> list[dict[str, str]]:
    """Look a whole public number up in every list that has one."""
    found: list[dict[str, str]] = []
    if not term:
        return found
    for model, page in site._registry.items():  # noqa: SLF001 - our own site
        if not page.number_field or not page.has_view_permission(request):
            continue
        try:
            rows = list(page.get_queryset(request).filter(**{page.number_field: term})[:2])
        except (ValueError, ValidationError):
            continue  # not even the shape of such a number
        found.extend(
            {
                "title": str(row),
                "kind": str(model._meta.verbose_name_plural),
                "url": reverse(
                    f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_change",
                    args=[row.pk],
                ),
                "icon": "description",
            }
            for row in rows
        )
    return found[:_MOST]
