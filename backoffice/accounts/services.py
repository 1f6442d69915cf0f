"""Changes to roles."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import roles
from backoffice.accounts.models import RoleChange, User
from backoffice.audit import verbs
from backoffice.audit.services import record

ROLE_CHANGED = verbs.register("accounts.role_changed", _("Role changed"))


def change_role(
    role: str, permission: str, *, granted: bool, actor: User, reason: str
) -> RoleChange:
    """Give or take one permission of a role, on the record.

    Raises PermissionDenied without the right, ValidationError for an unknown role or no reason.
    """
    if not actor.has_perm("accounts.change_roles"):
        raise PermissionDenied
    if role not in roles.ROLES:
        raise ValidationError({"role": _("There is no such role.")})
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    with transaction.atomic():
        change = RoleChange.objects.create(
            role=role, permission=permission, granted=granted, actor=actor, reason=reason
        )
        record(
            ROLE_CHANGED,
            actor=actor,
            subject=change,
            reason=reason,
            context={"role": role, "permission": permission, "granted": granted},
        )
        roles.sync_roles()
    return change
