"""Rights to clear values are given to roles, and such roles to people, once another agreed.

The other half of `accounts.guarded`: whoever may change roles or people asks here, somebody else
with `accounts.approve_access` (owner, privacy officer) decides.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import guarded, people, roles
from backoffice.accounts import services as role_services
from backoffice.accounts.models import User
from backoffice.approvals import registry, rights, services, voters
from backoffice.approvals.models import ApprovalRequest

OF_ROLE, OF_PERSON = "accounts.role_right", "accounts.person_roles"
_WAITS = timedelta(days=7)


def ask_right(role: str, permission: str, actor: User, reason: str) -> ApprovalRequest:
    """Ask that a role gets a guarded right. Raises ValidationError while the same waits."""
    words = {"right": rights.label(permission), "role": roles.ROLES[role]}
    return _ask(
        OF_ROLE,
        Group.objects.get(name=role),
        {"role": role, "permission": permission},
        _("Role %(role)s: %(right)s") % words,
        actor,
        reason,
    )


def ask_roles(person: User, names: Sequence[str], actor: User, reason: str) -> ApprovalRequest:
    """Ask that a person gets guarded roles. Raises ValidationError while the same waits."""
    words = {"person": person.get_username(), "roles": ", ".join(roles.roles_of(list(names)))}
    text = _("%(person)s gets: %(roles)s") % words
    return _ask(OF_PERSON, person, {"roles": list(names)}, text, actor, reason)


def _ask(
    kind: str, subject: Any, payload: dict[str, Any], summary: str, actor: User, reason: str
) -> ApprovalRequest:
    same = {"kind": kind, "subject_type": subject._meta.label_lower, "subject_id": str(subject.pk)}
    waiting = ApprovalRequest.objects.filter(**same, state=ApprovalRequest.State.REQUESTED)
    if any(one.payload == payload for one in waiting):
        raise ValidationError(_("This was asked for already. Somebody else has to decide."))
    return services.ask(
        kind, subject=subject, payload=payload, summary=summary[:200], reason=reason, actor=actor
    )


def waiting() -> list[guarded.Waiting]:
    """Return what waits, oldest first, for the page of roles."""
    found = ApprovalRequest.objects.filter(
        kind__in=(OF_ROLE, OF_PERSON), state=ApprovalRequest.State.REQUESTED
    )
    return [
        guarded.Waiting(one.summary, str(one.maker), one.reason, _url(one))
        for one in found.select_related("maker")
    ]


def _url(request: ApprovalRequest) -> str:
    try:
        return reverse("admin:approval", args=[request.pk])
    except NoReverseMatch:  # an installation without the staff site
        return ""


def _people_of(role: str) -> list[User]:
    return list(User.objects.filter(groups__name=role, is_active=True).order_by("pk"))


def _facts_of_role(request: ApprovalRequest) -> dict[str, Any]:
    """Return what approvers rely on: who has the role, and that it lacks the right."""
    role, permission = request.payload["role"], request.payload["permission"]
    return {
        "people": [person.pk for person in _people_of(role)],
        "granted": permission in roles.in_force().get(role, ()),
    }


def _facts_of_person(request: ApprovalRequest) -> dict[str, Any]:
    """Return what approvers rely on: that the account is let in, and what the roles open."""
    person = request.record()
    return {
        "active": person is not None and person.is_active,
        "rights": sorted(guarded.rights_of(request.payload["roles"])),
    }


def _effects_of_role(request: ApprovalRequest) -> list[registry.Effect]:
    people_of_role = ", ".join(map(str, _people_of(request.payload["role"]))) or _("nobody yet")
    return [
        registry.Effect(_("Right"), "", rights.label(request.payload["permission"])),
        registry.Effect(_("Who gets it"), "", people_of_role),
    ]


def _effects_of_person(request: ApprovalRequest) -> list[registry.Effect]:
    person = request.record()
    if person is None:
        return []
    before = roles.roles_of(list(person.groups.values_list("name", flat=True)))
    opened = [rights.label(name) for name in sorted(guarded.rights_of(request.payload["roles"]))]
    return [
        registry.Effect(
            _("Roles"), ", ".join(before), ", ".join(roles.roles_of(request.payload["roles"]))
        ),
        registry.Effect(_("What they open"), "", ", ".join(opened)),
    ]


def _give_right(request: ApprovalRequest) -> None:
    try:
        role_services.give_agreed(
            request.payload["role"],
            request.payload["permission"],
            actor=request.maker,
            agreed_by=_agreed_by(request),
            reason=request.reason,
        )
    except PermissionDenied:
        raise services.VoidError(_("Who asked for it lost the right to change this.")) from None


def _give_roles(request: ApprovalRequest) -> None:
    person = request.record()
    if person is None:
        raise services.VoidError(_("This person is not there any more."))
    try:
        people.give_agreed(
            person,
            request.payload["roles"],
            actor=request.maker,
            agreed_by=_agreed_by(request),
            reason=request.reason,
        )
    except PermissionDenied:
        raise services.VoidError(_("Who asked for it lost the right to change this.")) from None


def _agreed_by(request: ApprovalRequest) -> User:
    if request.decided_by is None:
        raise services.VoidError(_("Nobody agreed to it."))
    return request.decided_by


def _barred(request: ApprovalRequest) -> set[Any]:
    """Return who must not decide: who gets the roles, and whoever made the asker's account."""
    gets = {int(request.subject_id)} if request.kind == OF_PERSON else set()
    return gets | set(voters.hosts(request))


def register() -> None:
    """Put the rules in force, once, and let `accounts` ask."""
    both: dict[str, Any] = {
        "permission": guarded.APPROVE,
        "excluded": _barred,
        "excluded_label": gettext_lazy("Who gets it; who invited whoever asks"),
        "expires": _WAITS,
        "delegable": False,
    }
    registry.register(
        registry.Rule(
            kind=OF_ROLE,
            label=gettext_lazy("Access to clear values for a role"),
            execute=_give_right,
            snapshot=_facts_of_role,
            effects=_effects_of_role,
            **both,
        )
    )
    registry.register(
        registry.Rule(
            kind=OF_PERSON,
            label=gettext_lazy("A role with access to clear values"),
            execute=_give_roles,
            snapshot=_facts_of_person,
            effects=_effects_of_person,
            **both,
        )
    )
    guarded.register_asking(guarded.Asking(ask_right, ask_roles, waiting))
