"""System checks of pages."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib.admin.sites import all_sites
from django.core.checks import CheckMessage, Error

from backoffice.approvals.registry import registered
from backoffice.policy import scoped_models
from backoffice.site.actions import declared
from backoffice.site.options import BackofficeAdmin
from backoffice.site.sites import BackofficeSite, seller_site


def check_sites(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report pages that would go round the policy."""
    found: list[CheckMessage] = []
    for site in BackofficeSite.sites:
        found += [_rejected(site, model, page) for model, page in site.rejected]
        found += unruled(site)
    return found + _strays() + unscoped(seller_site)


def unruled(site: BackofficeSite) -> list[CheckMessage]:
    """Report actions under an approval rule that nobody registered, or without a record."""
    known = {rule.kind for rule in registered()}
    return [
        Error(
            f"The action {spec.name} of {type(page).__name__} wants approval by {spec.approval!r}"
            + (", but has no record." if spec.listing else ", which is no rule."),
            hint="Register the rule in AppConfig.ready: see docs/approvals.md.",
            obj=type(page),
            id="backoffice.E026",
        )
        for page in site._registry.values()  # noqa: SLF001 - our own site
        for spec in declared(page)
        if spec.approval and (spec.approval not in known or spec.listing)
    ]


def unscoped(site: BackofficeSite) -> list[CheckMessage]:
    """Report models on the seller site whose rows nobody said whom they belong to."""
    missing = set(site._registry) - scoped_models(site.name)  # noqa: SLF001 - our own site
    return [
        Error(
            f"{model._meta.label} is on the site {site.name} without a tenant scope: it shows "
            "nothing.",
            hint="Say in AppConfig.ready whose rows they are: policy.register_scope(Model, "
            f"{site.name!r}, narrow).",
            obj=model,
            id="backoffice.E004",
        )
        for model in sorted(missing, key=lambda model: model._meta.label)
    ]


def _rejected(site: BackofficeSite, model: Any, page: Any) -> Error:
    name = "no class" if page is None else page.__name__
    return Error(
        f"{model._meta.label} is registered on the site {site.name} with {name}, which is no "
        "BackofficeAdmin; it is not shown.",
        hint="Derive the page from backoffice.site.BackofficeAdmin.",
        obj=page,
        id="backoffice.E001",
    )


def _strays() -> list[CheckMessage]:
    """Report our pages on Django's default site, which has no address."""
    return [
        Error(
            f"{type(page).__name__} is registered on a site that is not shown.",
            hint="Name the site: @register(Model, site=staff_site).",
            obj=type(page),
            id="backoffice.E002",
        )
        for site in all_sites
        if not isinstance(site, BackofficeSite)
        for page in site._registry.values()  # noqa: SLF001 - a check looks at all of it
        if isinstance(page, BackofficeAdmin)
    ]
