"""Changes to roles."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import acting, guarded, machines, roles
from backoffice.accounts.models import Kind, RoleChange, User
from backoffice.audit import verbs
from backoffice.audit.services import record

CHANGE = "accounts.change_roles"
ROLE_CHANGED = verbs.register("accounts.role_changed", _("Role changed"))


def require(actor: User, right: str) -> None:
    """Raise PermissionDenied as the policy would, which stands above this package."""
    acting.refuse()
    program = actor.kind == Kind.SERVICE and machines.is_for_people(right)
    if program or not actor.is_active or not actor.has_perm(right):
        raise PermissionDenied


def change_role(
    role: str, permission: str, *, granted: bool, actor: User, reason: str
) -> RoleChange:
    """Give or take one permission of a role, on the record.

    Raises PermissionDenied without the right, NeedsAnotherError for giving a guarded right (see
    `ask_for_right`), ValidationError for an unknown role or no reason.
    """
    _require(role, actor=actor, reason=reason)
    if granted and guarded.is_guarded(permission) and not guarded.is_alone(actor):
        raise guarded.NeedsAnotherError
    return _change(role, permission, granted=granted, actor=actor, reason=reason)


def ask_for_right(role: str, permission: str, *, actor: User, reason: str) -> None:
    """Ask another person to agree that the role gets a guarded right. Raises as `change_role`."""
    _require(role, actor=actor, reason=reason)
    guarded.asking().right(role, permission, actor, reason.strip())


def give_agreed(
    role: str, permission: str, *, actor: User, agreed_by: User, reason: str
) -> RoleChange:
    """Give the role what was asked for and another person agreed to. Raises as `change_role`."""
    _require(role, actor=actor, reason=reason)
    require(agreed_by, guarded.APPROVE)
    if agreed_by.pk == actor.pk:
        raise guarded.NeedsAnotherError
    return _change(role, permission, granted=True, actor=actor, reason=reason, agreed_by=agreed_by)


def _require(role: str, *, actor: User, reason: str) -> None:
    require(actor, CHANGE)
    if role not in roles.ROLES:
        raise ValidationError({"role": _("There is no such role.")})
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})


def _change(
    role: str,
    permission: str,
    *,
    granted: bool,
    actor: User,
    reason: str,
    agreed_by: User | None = None,
) -> RoleChange:
    facts = {"role": role, "permission": permission, "granted": granted}
    if agreed_by is not None:
        facts["agreed_by"] = agreed_by.pk
    with transaction.atomic():
        change = RoleChange.objects.create(
            role=role, permission=permission, granted=granted, actor=actor, reason=reason
        )
        record(ROLE_CHANGED, actor=actor, subject=change, reason=reason, context=facts)
        roles.sync_roles()
        if granted and guarded.is_guarded(permission):
            guarded.tell(actor, {"to": role, "given": permission, "agreed_by": _key(agreed_by)})
    return change


def _key(person: User | None) -> int | None:
    return person.pk if person is not None else None
