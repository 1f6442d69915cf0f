"""Accounts of programs: made and blocked with the right over tokens, on the record."""

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting, roles, tokens
from backoffice.accounts.models import Kind, User
from backoffice.audit import verbs
from backoffice.audit.services import record

MADE = verbs.register("accounts.service_made", gettext_lazy("Service account made"))
BLOCKED = verbs.register("accounts.service_blocked", gettext_lazy("Service account blocked"))
_LONGEST = 60
# Roles that a program cannot have: the owner's, and that of a shop's people.
_NOT_FOR_PROGRAMS = {"owner", "seller"}


def role_choices() -> list[tuple[str, str]]:
    """Return (role, text) of what a service account may be."""
    return [
        (role, str(text)) for role, text in roles.ROLES.items() if role not in _NOT_FOR_PROGRAMS
    ]


def make(name: str, role_names: Iterable[str], *, actor: User, reason: str) -> User:
    """Make an account without a password, in these roles.

    What is kept for people it cannot do (see `machines`). Raises PermissionDenied, ValidationError.
    """
    _require(actor)
    wanted, name = sorted(set(role_names)), name.strip()[:_LONGEST]
    username = f"service-{slugify(name)}"
    if not slugify(name):
        raise ValidationError({"name": _("Say what it is for.")})
    if not wanted or set(wanted) - {role for role, _text in role_choices()}:
        raise ValidationError({"roles": _("Choose what it may do.")})
    _say_why(reason)
    if User.objects.filter(username=username).exists():
        raise ValidationError({"name": _("There is a service account of this name.")})
    with transaction.atomic():
        user = User(username=username, first_name=name, kind=Kind.SERVICE, is_staff=True)
        user.set_unusable_password()
        user.save()
        user.groups.set(Group.objects.filter(name__in=wanted))
        record(MADE, actor=actor, subject=user, reason=reason, context={"roles": wanted})
    return user


def block(user: User, *, actor: User, reason: str) -> None:
    """Let the program in no more, and end its tokens. Raises as `make` does."""
    _require(actor)
    _say_why(reason)
    with transaction.atomic():
        rows = User.objects.filter(pk=user.pk, kind=Kind.SERVICE, is_active=True)
        if not rows.update(is_active=False):
            raise ValidationError(_("This service account is blocked already."))
        record(BLOCKED, actor=actor, subject=user, reason=reason)
        tokens.end_all(user, actor=actor, reason=reason)


def _require(actor: User) -> None:
    if acting.is_acting() or not actor.is_active or not actor.has_perm(tokens.MANAGE):
        raise PermissionDenied


def _say_why(reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
