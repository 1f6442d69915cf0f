"""What must not be in a production database."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core import checks
from django.db import DatabaseError

from backoffice.accounts.models import User
from backoffice.project import seed


def demo_accounts() -> list[str]:
    """Return the user names of the demo that can sign in with the demo's public password."""
    names = [person.username for person in seed.PEOPLE]
    found = User.objects.filter(username__in=names, is_active=True)
    return [
        person.username
        for person in found.order_by("username")
        if check_password(seed.PASSWORD, person.password)
    ]


@checks.register(checks.Tags.database)
def check_demo(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """Name the demo's people in production (`manage.py check --database default`)."""
    if not settings.PRODUCTION or not databases:
        return []
    try:
        found = demo_accounts()
    except DatabaseError:  # not migrated yet
        return []
    names = ", ".join(found)
    text = f"People of the demo can sign in with its public password: {names}."
    return [checks.Error(text, hint="Block them.", id="project.E001")] if found else []
