"""Who may do what: one function decides for pages, API, exports, charts, jobs and sources.

Roles come first (permissions of the model), object grants are the exception, a denial wins over
both, and a row outside a person's scope is as if it did not exist. Apps above register what only
they know: the scope of their rows (`register_scope`), where grants stand (`register_grants`) and
what a person must not do with a row although a role allows it (`register_denials`).

Every answer comes out of one list of rules (`RULES`). `may` asks them until the answer is settled,
`explain` asks all of them and says which one settled it: there is no second account of the rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import PermissionsMixin
from django.db.models import Model

from backoffice.policy import registry
from backoffice.policy.registry import (
    SELLERS,
    STAFF,
    Granted,
    Person,
    Target,
    home,
    register_denials,
    register_grants,
    register_masks,
    register_scope,
    scope,
    scoped_models,
)
from backoffice.policy.rules import (
    RULES,
    Decision,
    Finding,
    Pass,
    Question,
    Rule,
    ask,
    by_token,
    deciding,
    decision,
)

__all__ = [
    "RULES",
    "SELLERS",
    "STAFF",
    "Decision",
    "Explanation",
    "Finding",
    "Granted",
    "Pass",
    "Rule",
    "Target",
    "by_token",
    "codename",
    "explain",
    "home",
    "may",
    "may_many",
    "register_denials",
    "register_grants",
    "register_masks",
    "register_scope",
    "scope",
    "scoped_models",
]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why somebody may or may not: every rule in order, and the one that decided.

    `roles` are the groups that give the permission, `directly` says that it was given to the
    person alone. `field` shows a mask where `masked`, whatever the answer is.
    """

    permission: str
    site: str
    decision: Decision
    decided_by: Finding
    findings: tuple[Finding, ...]
    roles: tuple[str, ...] = ()
    directly: bool = False
    field: str | None = None
    masked: bool = False


def codename(action: str, target: Target) -> str:
    """Return the permission for an action: "view" of Customer is "customers.view_customer".

    A full name ("orders.cancel_order") is returned as it is. Raises ValueError for a short name
    without a model.
    """
    if "." in action:
        return action
    if target is None:
        msg = f"{action!r} needs a model; without one, give the full name of a permission"
        raise ValueError(msg)
    return f"{target._meta.app_label}.{action}_{target._meta.model_name}"


def may(
    user: Person, action: str, target: Target, field: str | None = None, *, site: str | None = None
) -> Decision:
    """Decide whether `user` may do `action` with a record, a model, or (None) at all.

    `site` is where it happens ("admin", "seller"; by default the person's own). Raises
    FieldDoesNotExist for a `field` that the model does not have.
    """
    question = _question(user, action, target, field, site, None)
    return decision(ask(question)[_key(target)])


def may_many(
    user: Person, action: str, rows: Iterable[Model], *, site: str | None = None
) -> dict[Any, Decision]:
    """Decide for a page of saved records of one model in a constant number of queries.

    Returns primary key -> decision.
    """
    records = list(rows)
    if not records:
        return {}
    permission = codename(action, records[0])
    question = Question(user, permission, records, site or home(user))
    return {key: decision(found) for key, found in ask(question).items()}


def explain(
    user: Person,
    action: str,
    target: Target,
    field: str | None = None,
    *,
    site: str | None = None,
    token: Pass | None = None,
) -> Explanation:
    """Return every rule that `may` would look at for the same arguments, and which one decides.

    `token` adds what a token of the API opens. Raises as `may` does.
    """
    question = _question(user, action, target, field, site, token)
    found = ask(question, everything=True)[_key(target)]
    model = target if isinstance(target, type) else type(target)
    roles, directly = _givers(user, question.permission)
    return Explanation(
        permission=question.permission,
        site=question.site,
        decision=decision(found),
        decided_by=deciding(found),
        findings=tuple(found),
        roles=roles,
        directly=directly,
        field=field,
        masked=field is not None and any(test(model, field) for test in registry.masks),  # type: ignore[arg-type]
    )


def _question(
    user: Person,
    action: str,
    target: Target,
    field: str | None,
    site: str | None,
    token: Pass | None,
) -> Question:
    if field is not None and target is not None:
        target._meta.get_field(field)
    records = [target] if isinstance(target, Model) and target.pk is not None else []
    return Question(user, codename(action, target), records, site or home(user), token)


def _key(target: Target) -> Any:
    return target.pk if isinstance(target, Model) else None


def _givers(user: Person, permission: str) -> tuple[tuple[str, ...], bool]:
    """Return the person's groups that give the permission, and whether it is theirs alone too."""
    if not isinstance(user, PermissionsMixin):
        return (), False
    app, _dot, name = permission.partition(".")
    groups = user.groups.filter(
        permissions__content_type__app_label=app, permissions__codename=name
    ).order_by("name")
    own = user.user_permissions.filter(content_type__app_label=app, codename=name)
    return tuple(groups.values_list("name", flat=True)), own.exists()
