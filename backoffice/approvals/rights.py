"""Permissions that models declare, with their words; no query."""

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


def declared() -> dict[str, str | Promise]:
    """Return "app.codename" -> its words, for the permissions of all installed models."""
    found: dict[str, str | Promise] = {}
    for model in apps.get_models():
        meta = model._meta
        for action in meta.default_permissions:
            words = _("Can %(action)s %(what)s") % {"action": action, "what": meta.verbose_name}
            found[f"{meta.app_label}.{action}_{meta.model_name}"] = words
        found |= {f"{meta.app_label}.{codename}": words for codename, words in meta.permissions}
    return found


def label(permission: str) -> str:
    """Return the words of a permission, or its name when no installed model declares it."""
    return str(declared().get(permission, permission))
