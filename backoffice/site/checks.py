"""System checks of pages."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.admin.sites import all_sites
from django.contrib.admin.sites import site as default_site
from django.core.checks import CheckMessage, Error

from backoffice.approvals.registry import registered
from backoffice.policy import scoped_models
from backoffice.site.actions import declared
from backoffice.site.options import BackofficeAdmin
from backoffice.site.sites import BackofficeSite, opens_past_policy, seller_site


def check_sites(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report pages that would go round the policy."""
    found: list[CheckMessage] = []
    for site in BackofficeSite.sites:
        found += [_rejected(site, model, page) for model, page in site.rejected]
        found += unruled(site)
    return found + _strays() + _past_policy() + unscoped(seller_site)


def check_import_export(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Report pages of import-export that would be open to all of the staff."""
    names = ("IMPORT_EXPORT_IMPORT_PERMISSION_CODE", "IMPORT_EXPORT_EXPORT_PERMISSION_CODE")
    if not apps.is_installed("import_export"):
        return []
    return [
        Error(
            f"{name} is not set: a page of import-export lets all of the staff read and write.",
            hint=f'Set {name} = "{name.split("_")[2].lower()}".',
            id="backoffice.E028",
        )
        for name in names
        if not getattr(settings, name, None)
    ]


def _past_policy() -> list[CheckMessage]:
    """Report pages of packages that go past the policy, on Django's default site."""
    return [
        _goes_past(page)
        for page in map(type, default_site._registry.values())  # noqa: SLF001 - all of it
        if opens_past_policy(page)
    ]


def _goes_past(page: Any) -> Error:
    return Error(
        f"{page.__name__} derives from a page of {opens_past_policy(page)}, which goes past the "
        "policy: people could give themselves rights, or read and write without them.",
        hint="Derive it from backoffice.site.BackofficeAdmin alone; access to a record is asked "
        "for on its page, sheets stand in sheets.py.",
        obj=page,
        id="backoffice.E027",
    )


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
    if opens_past_policy(page):
        return _goes_past(page)
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
