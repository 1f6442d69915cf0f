"""Who may do what: roles x permissions, changed by the owner on the record."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.core.exceptions import FieldDoesNotExist
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import guarded, roles, services
from backoffice.accounts.models import RoleChange, User
from backoffice.policy import may
from backoffice.policy.services import RIGHT
from backoffice.site import DialogPage, ReasonForm, SitePage
from backoffice.site.visitors import signed_in

_LATEST = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """Whether one role has one permission; `changed` says that the owner decided so."""

    role: str
    role_name: str
    granted: bool
    changed: bool
    url: str


@dataclass(slots=True)
class Right:
    """A row of the table: one permission and what each role has of it."""

    name: str
    words: str
    cells: list[Cell] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Group:
    """The rights of one app."""

    label: str
    rights: list[Right]


def _permissions() -> dict[str, Permission]:
    """Return "app.codename" -> permission of the apps that declare roles, histories left out."""
    ours = {
        config.label for config in apps.get_app_configs() if hasattr(config, "role_permissions")
    }
    rows = Permission.objects.select_related("content_type").filter(
        content_type__app_label__in=ours
    )
    return {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in rows.order_by("content_type__app_label", "content_type__model", "pk")
        if not _is_history(row)
    }


def _is_history(permission: Permission) -> bool:
    model = permission.content_type.model_class()
    try:
        return model is None or bool(model._meta.get_field("history_id"))
    except FieldDoesNotExist:
        return False


def matrix(*, everything: bool = False) -> list[Group]:
    """Return the table by app. Rights that no role has are left out unless `everything`."""
    known, in_force, declared = _permissions(), roles.in_force(), roles.declared()
    groups: dict[str, list[Right]] = defaultdict(list)
    for name, permission in known.items():
        cells = [
            Cell(
                role,
                str(text),
                granted=name in in_force[role],
                changed=(name in in_force[role]) != (name in declared[role]),
                url=reverse("admin:role_change", args=[role, name]),
            )
            for role, text in roles.ROLES.items()
        ]
        if everything or any(cell.granted or cell.changed for cell in cells):
            label = str(apps.get_app_config(permission.content_type.app_label).verbose_name)
            groups[label].append(Right(name, permission.name, cells))
    return [Group(label, rights) for label, rights in groups.items()]


class RolesPage(SitePage):
    """The table, the people of each role, and what was changed of late."""

    path, name = "who-may-do-what/", "roles"
    title = gettext_lazy("Who may do what")
    subtitle = gettext_lazy(
        "Each role and its rights. The owner changes them here; every change is on the record."
    )
    permission = "accounts.view_rolechange"
    template_name = "accounts/roles.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return table, people and latest changes."""
        everything = "all" in request.GET
        return {
            "groups": matrix(everything=everything),
            "everything": everything,
            "role_names": list(roles.ROLES.values()),
            "may_change": may(request.user, "accounts.change_roles", None).allowed,
            "may_explain": may(request.user, RIGHT, None).allowed,
            "people": _people(),
            "changes": _changes(),
            "waiting": guarded.waiting(),
        }


def _people() -> list[tuple[User, str]]:
    people = User.objects.filter(is_active=True).prefetch_related("groups")
    return [
        (person, ", ".join(roles.roles_of([group.name for group in person.groups.all()])))
        for person in people.order_by("first_name", "username")
    ]


def _changes() -> list[tuple[str, RoleChange]]:
    changes = RoleChange.objects.select_related("actor").order_by("-id")[:_LATEST]
    return [(str(roles.ROLES.get(change.role, change.role)), change) for change in changes]


class RoleChangePage(DialogPage):
    """Give or take one right of one role; says which, asks why."""

    path, name = "who-may-do-what/<str:role>/<str:right>/", "role_change"
    title = gettext_lazy("Change a role")
    permission = "accounts.change_roles"
    form = ReasonForm
    icon = "shield_person"
    step_up = True

    def subject(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return role, right and whether the role has it now."""
        role, right = kwargs["role"], kwargs["right"]
        permission = _permissions().get(right)
        if role not in roles.ROLES or permission is None:
            raise Http404
        granted = right in roles.in_force()[role]
        asks = (
            not granted and guarded.is_guarded(right) and not guarded.is_alone(signed_in(request))
        )
        words = {"words": permission.name, "granted": granted, "asks": asks}
        return {"role": role, "right": right, **words}

    def intro(self, request: HttpRequest, subject: dict[str, Any]) -> str:
        """Say what will be given or taken."""
        names = {"role": roles.ROLES[subject["role"]], "right": subject["words"]}
        if subject["granted"]:
            return (
                _("The role %(role)s loses the right “%(right)s”, at once, for everybody.") % names
            )
        if subject["asks"]:
            return (
                _(
                    "“%(right)s” opens clear values, or decides who sees them. Another person has "
                    "to agree before the role %(role)s gets it. Nothing changes until then."
                )
                % names
            )
        return _("The role %(role)s gets the right “%(right)s”, at once, for everybody.") % names

    def act(self, request: HttpRequest, subject: dict[str, Any], form: Any) -> str:
        """Change it through the service, or ask another person to agree."""
        actor, reason = signed_in(request), form.cleaned_data["reason"]
        role, right = subject["role"], subject["right"]
        if subject["asks"]:
            services.ask_for_right(role, right, actor=actor, reason=reason)
            return _("Asked. Another person has to agree.")
        granted = not subject["granted"]
        services.change_role(role, right, granted=granted, actor=actor, reason=reason)
        return _("The role %s is changed.") % roles.ROLES[subject["role"]]

    def back(self, request: HttpRequest, subject: dict[str, Any]) -> str:
        """The table."""
        return reverse("admin:roles")
