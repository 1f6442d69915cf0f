"""Roles are groups; each app declares which role has which of its permissions.

An app's AppConfig holds `role_permissions = {"support": ("customers.view_customer", …)}`. After
each migrate the groups are made so, with the owner's changes (`RoleChange`) applied on top.
"""

from collections import defaultdict
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import RoleChange

ROLES: dict[str, str | Promise] = {
    "support": _("Support"),
    "finance": _("Finance"),
    "ops": _("Operations"),
    "analyst": _("Analyst"),
    "owner": _("Owner"),
    "auditor": _("Auditor"),
    "privacy": _("Privacy officer"),
    "seller": _("Seller"),
}


def declared() -> dict[str, set[str]]:
    """Return role -> permission names ("app.codename") as the apps declare them."""
    table: dict[str, set[str]] = {role: set() for role in ROLES}
    for config in apps.get_app_configs():
        for role, names in getattr(config, "role_permissions", {}).items():
            table[role].update(names)
    return table


def in_force() -> dict[str, set[str]]:
    """Return role -> permission names with the owner's changes applied."""
    table = declared()
    for change in RoleChange.objects.all():
        if change.role in table:
            names = table[change.role]
            (names.add if change.granted else names.discard)(change.permission)
    return table


def sync_roles() -> None:
    """Make the groups equal to what is in force. Idempotent; other groups are left alone."""
    by_name: dict[str, Permission] = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for role, names in in_force().items():
        group, _created = Group.objects.get_or_create(name=role)
        wanted = {by_name[name].pk for name in names if name in by_name}
        if wanted != set(group.permissions.values_list("pk", flat=True)):
            group.permissions.set(wanted)


def after_migrate(sender: AppConfig, **kwargs: Any) -> None:
    """Sync once, after the last app's permissions were made."""
    migrated = [config for config in apps.get_app_configs() if config.models_module is not None]
    if sender is migrated[-1]:
        sync_roles()


def roles_of(names: list[str]) -> list[str]:
    """Return the texts of those of the group names that are roles, in the order of ROLES."""
    return [str(text) for role, text in ROLES.items() if role in names]


def missing_permissions() -> dict[str, set[str]]:
    """Return declared names that no permission has (a misspelling), by role."""
    known = {
        f"{app}.{codename}"
        for app, codename in Permission.objects.values_list("content_type__app_label", "codename")
    }
    missing: dict[str, set[str]] = defaultdict(set)
    for role, names in declared().items():
        if wrong := names - known:
            missing[role] = wrong
    return dict(missing)
