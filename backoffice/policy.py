"""Who may do what: one function decides for pages, API, exports, charts, jobs and sources.

Roles come first (permissions of the model), object grants are the exception, a denial wins over
both, and a row outside a person's scope is as if it did not exist. Apps above register what only
they know: the scope of their rows (`register_scope`), where grants stand (`register_grants`) and
what a person must not do with a row although a role allows it (`register_denials`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db.models import Model, QuerySet

from backoffice.accounts import acting, machines
from backoffice.accounts.models import Kind

type Person = AbstractBaseUser | AnonymousUser
type Target = Model | type[Model] | None
type Rows = QuerySet[Any]
type Narrow = Callable[[Any, Rows], Rows]
# grants(user, "app.codename", rows of one model) -> primary keys of those that a grant covers.
type Grants = Callable[[Any, str, Sequence[Model]], set[Any]]
# denials(user, "app.codename", rows of one model) -> primary key -> why not, in words.
type Denials = Callable[[Any, str, Sequence[Model]], dict[Any, str]]

_Row = TypeVar("_Row", bound=Model)

# What only the person themselves does, and nobody who acts for them.
_THEIRS = ("reveal_", "export_", "approve_", "decide_")

STAFF = "admin"
SELLERS = "seller"

_scopes: dict[tuple[type[Model], str], Narrow] = {}
_grants: list[Grants] = []
_denials: list[Denials] = []


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and the rule that gave it, in words for the log and for `explain` pages."""

    allowed: bool
    rule: str

    def __bool__(self) -> bool:
        return self.allowed


def register_scope(model: type[Model], site: str, narrow: Narrow) -> None:
    """Let `narrow(user, rows)` say which rows of `model` a person sees on `site`.

    On the seller site a model without a scope shows nothing; on the staff site, everything.
    """
    if _scopes.setdefault((model, site), narrow) is not narrow:
        msg = f"{model._meta.label} has a scope on {site} already"
        raise ValueError(msg)


def register_grants(grants: Grants) -> None:
    """Let `grants(user, permission, rows)` name the rows for which a person was let in."""
    if grants not in _grants:
        _grants.append(grants)


def register_denials(denials: Denials) -> None:
    """Let `denials(user, permission, rows)` name rows for which no role and no grant counts.

    A superuser is no exception.
    """
    if denials not in _denials:
        _denials.append(denials)


def home(user: Person) -> str:
    """Return the site a person works on when nothing else is said."""
    return STAFF if getattr(user, "is_staff", False) else SELLERS


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
    if field is not None and target is not None:
        target._meta.get_field(field)
    if isinstance(target, Model) and target.pk is not None:
        return may_many(user, action, [target], site=site)[target.pk]
    return _by_role(user, codename(action, target))


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
    decision = _by_role(user, permission)
    allowed = {record.pk: decision for record in records}
    if not decision and _may_be_granted(user, permission):
        granted = Decision(allowed=True, rule=f"a grant of {permission} for this record")
        for source in _grants:
            allowed.update(dict.fromkeys(source(user, permission, records), granted))
    for refuse in _denials:
        for key, why in refuse(user, permission, records).items():
            allowed[key] = Decision(allowed=False, rule=why)
    inside = [record for record in records if allowed[record.pk]]
    outside = _outside(user, inside, site or home(user))
    return allowed | dict.fromkeys(outside, Decision(allowed=False, rule="outside your scope"))


def scope(user: Person, rows: "QuerySet[_Row]", *, site: str | None = None) -> "QuerySet[_Row]":
    """Return those of `rows` that exist for `user` on `site` (by default the person's own)."""
    if not _is_active(user):
        return rows.none()
    where = site or home(user)
    narrow = _scopes.get((rows.model, where))
    if narrow is not None:
        return narrow(user, rows)
    return rows if where == STAFF and home(user) == STAFF else rows.none()


def scoped_models(site: str) -> set[type[Model]]:
    """Return the models that have a scope on `site`, for the checks of that site."""
    return {model for model, where in _scopes if where == site}


def _is_active(user: Person) -> bool:
    return bool(user.is_authenticated and user.is_active)


def _is_kept_from(user: Person, permission: str) -> bool:
    """Say whether the account is a program's and the right is kept for people."""
    return getattr(user, "kind", "") == Kind.SERVICE and machines.is_for_people(permission)


def _may_be_granted(user: Person, permission: str) -> bool:
    """Say whether a grant counts where no role gives the right."""
    kept = _is_kept_from(user, permission) or _is_theirs(permission)
    return _is_active(user) and not kept


def _is_theirs(permission: str) -> bool:
    """Say whether somebody acts for the person now, and the right is not for acting."""
    return acting.is_acting() and permission.partition(".")[2].startswith(_THEIRS)


def _by_role(user: Person, permission: str) -> Decision:
    if not _is_active(user):
        return Decision(allowed=False, rule="not signed in, or not active any more")
    if _is_kept_from(user, permission):
        return Decision(allowed=False, rule=f"{permission} is kept for people")
    if _is_theirs(permission):
        return Decision(allowed=False, rule="not while somebody acts for the person")
    if isinstance(user, PermissionsMixin) and user.has_perm(permission):
        superuser = getattr(user, "is_superuser", False)
        return Decision(True, "superuser" if superuser else f"a role gives {permission}")
    return Decision(allowed=False, rule=f"no role gives {permission}")


def _outside(user: Person, records: Sequence[Model], site: str) -> set[Any]:
    """Return the keys of the records outside the person's scope; asks only where there is one."""
    by_model: dict[type[Model], set[Any]] = defaultdict(set)
    for record in records:
        by_model[type(record)].add(record.pk)
    outside: set[Any] = set()
    for model, keys in by_model.items():
        if site != STAFF or (model, site) in _scopes:
            rows = scope(user, model._default_manager.filter(pk__in=keys), site=site)
            outside |= keys - set(rows.values_list("pk", flat=True))
    return outside
