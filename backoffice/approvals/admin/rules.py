"""Rules in force: who decides what, from how much on, and where it is written."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.accounts.roles import ROLES
from backoffice.approvals import registry, rights
from backoffice.approvals.registry import Band, Rule
from backoffice.site import SitePage
from backoffice.site.pages import Crumb

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Step:
    """From which amount on how many people with which right have to agree, and who has it."""

    amount: str
    people: str
    right: str
    roles: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule in words."""

    rule: Rule
    steps: list[Step]
    excluded: str
    hours: str
    changed: list[str]


class RulesPage(SitePage):
    """All rules in force; open to all staff, since it tells them whom to ask."""

    path, name = "approvals/rules/", "approval_rules"
    title = gettext_lazy("Rules in force")
    subtitle = gettext_lazy(
        "Who decides what. Rules are code; the setting BACKOFFICE_APPROVALS changes their numbers."
    )
    template_name = "approvals/rules.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[Crumb]:
        """The inbox stands above."""
        return [(_("Approvals"), reverse("admin:approvals"))]

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the rules by name."""
        holders = _holders()
        shown = [_shown(rule, holders) for rule in registry.rules()]
        return {"rules": sorted(shown, key=lambda one: str(one.rule.label))}


def _shown(rule: Rule, holders: dict[str, list[str]]) -> Shown:
    excluded = [
        str(_("whoever asked")),
        *([str(rule.excluded_label)] if rule.excluded_label else []),
    ]
    hours = int(rule.expires.total_seconds() // _HOUR)
    return Shown(
        rule,
        steps=[_first(rule, holders), *(_step(rule, band, holders) for band in _ordered(rule))],
        excluded=", ".join(excluded),
        hours=ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours},
        changed=sorted(registry.overrides().get(rule.kind, ())),
    )


def _ordered(rule: Rule) -> list[Band]:
    return sorted(rule.bands, key=lambda band: (band.above.currency, band.above.minor))


def _first(rule: Rule, holders: dict[str, list[str]]) -> Step:
    amount = _("up to the first amount below") if rule.bands else _("any")
    return _words(amount, rule.approvers, rule.permission, holders)


def _step(rule: Rule, band: Band, holders: dict[str, list[str]]) -> Step:
    amount = _("more than %(amount)s") % {"amount": band.above}
    return _words(amount, band.approvers, band.permission or rule.permission, holders)


def _words(amount: str, count: int, permission: str, holders: dict[str, list[str]]) -> Step:
    people = (
        ngettext("%(count)s person", "%(count)s people", count) % {"count": count}
        if count
        else _("nobody")
    )
    roles = ", ".join(holders.get(permission, [])) or _("nobody has it")
    return Step(amount, people, rights.label(permission), roles)


def _holders() -> dict[str, list[str]]:
    """Return permission -> the names of the roles that hold it, in two queries."""
    table: dict[str, list[str]] = defaultdict(list)
    for group in Group.objects.prefetch_related("permissions__content_type").order_by("pk"):
        for permission in group.permissions.all():
            name = f"{permission.content_type.app_label}.{permission.codename}"
            table[name].append(str(ROLES.get(group.name, group.name)))
    return table
