import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command

from backoffice.accounts import roles
from backoffice.accounts.models import RoleChange, User
from backoffice.accounts.services import change_role
from backoffice.audit.models import Event


def _names(role: str) -> set[str]:
    permissions = Group.objects.get(name=role).permissions.select_related("content_type")
    return {f"{p.content_type.app_label}.{p.codename}" for p in permissions}


@pytest.mark.django_db
def test_every_declared_permission_exists() -> None:
    assert roles.missing_permissions() == {}


@pytest.mark.django_db
def test_groups_equal_the_declared_roles() -> None:
    assert {role: _names(role) for role in roles.ROLES} == roles.declared()


@pytest.mark.django_db
def test_sync_roles_takes_away_what_is_not_declared() -> None:
    group = Group.objects.get(name="auditor")
    group.permissions.add(
        Group.objects.get(name="finance").permissions.get(codename="approve_refund")
    )
    roles.sync_roles()
    assert _names("auditor") == roles.declared()["auditor"]


def test_role_change_is_recorded_and_survives_migrate(kim: User) -> None:
    change_role(
        "support", "customers.export_customer", granted=False, actor=kim, reason="not needed"
    )
    call_command("migrate", verbosity=0)
    assert "customers.export_customer" not in _names("support")
    event = Event.objects.get(verb="accounts.role_changed")
    assert (event.actor, event.reason) == (kim, "not needed")
    assert event.context == {
        "role": "support",
        "permission": "customers.export_customer",
        "granted": False,
    }


def test_role_change_without_the_right_is_refused(ann: User) -> None:
    with pytest.raises(PermissionDenied):
        change_role("support", "audit.view_event", granted=True, actor=ann, reason="curious")
    assert not RoleChange.objects.exists()


@pytest.mark.parametrize(("role", "reason"), [("nobody", "why"), ("support", "  ")])
def test_role_change_needs_a_role_and_a_reason(kim: User, role: str, reason: str) -> None:
    with pytest.raises(ValidationError):
        change_role(role, "audit.view_event", granted=True, actor=kim, reason=reason)
