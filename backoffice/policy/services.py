"""Asking why somebody may or may not do something, on the record."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.policy import Explanation, Pass, Target, explain, may

RIGHT = "accounts.explain_access"
EXPLAINED = verbs.register("policy.explained", _("Asked why somebody may see something"))


def look_up(
    user: User,
    action: str,
    target: Target,
    *,
    actor: User,
    field: str | None = None,
    site: str | None = None,
    token: Pass | None = None,
) -> Explanation:
    """Return what `explain` says, and put on the record who asked about whom.

    Raises PermissionDenied without the right, and what `explain` raises.
    """
    if not may(actor, RIGHT, None):
        raise PermissionDenied
    found = explain(user, action, target, field, site=site, token=token)
    facts: dict[str, Any] = {
        "user": user.pk,
        "permission": found.permission,
        "site": found.site,
        "allowed": found.decision.allowed,
        "by": found.decided_by.rule.name,
    }
    if field is not None:
        facts["field"] = field
    with transaction.atomic():
        record(EXPLAINED, actor=actor, subject=target, also=[user], context=facts)
    return found
