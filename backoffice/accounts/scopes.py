"""Scopes of tokens: which part of the API a token opens. The rights of its account still decide.

An app names those of its resources in its AppConfig: `api_scopes = {"orders:read": _("Read …")}`.
"""

from django.apps import apps
from django.utils.functional import Promise


def known() -> dict[str, str | Promise]:
    """Return scope -> text for people, of all installed apps, by name."""
    table: dict[str, str | Promise] = {}
    for config in apps.get_app_configs():
        table.update(getattr(config, "api_scopes", {}))
    return dict(sorted(table.items()))
