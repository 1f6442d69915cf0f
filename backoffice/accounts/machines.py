"""What is kept for people: a service account may not, whatever its role gives.

Revealing, deciding, moving money and changing who may do what need somebody who answers for it.
Each app names such rights in its AppConfig (`people_only = ("payments.request_refund",)`); a name
that ends in "." means all of an app but looking. The setting BACKOFFICE_SERVICE_MAY lets service
accounts do single ones of them all the same.
"""

from collections.abc import Iterable
from functools import cache

from django.apps import apps
from django.conf import settings

# Of every model with masked fields, and of what others have to agree to.
_VERBS = ("reveal_", "unmask_", "export_clear_", "approve_")
_LOOKING = "view_"


def is_for_people(permission: str) -> bool:
    """Say whether a service account is refused this right ("app.codename")."""
    if is_let([permission]):
        return False
    app, _, codename = permission.partition(".")
    if permission in _reserved() or codename.startswith(_VERBS):
        return True
    return f"{app}." in _reserved() and not codename.startswith(_LOOKING)


def is_let(permissions: Iterable[str]) -> bool:
    """Say whether the setting names all of these rights."""
    return set(permissions) <= set(settings.BACKOFFICE_SERVICE_MAY)


@cache
def _reserved() -> frozenset[str]:
    return frozenset(
        name for config in apps.get_app_configs() for name in getattr(config, "people_only", ())
    )
