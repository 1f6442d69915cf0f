"""What apps above tell the policy: scopes of rows, grants, denials, which fields are masked."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, QuerySet
from django.utils.functional import Promise

type Person = AbstractBaseUser | AnonymousUser
type Target = Model | type[Model] | None
type Rows = QuerySet[Any]
type Narrow = Callable[[Any, Rows], Rows]
# grants(user, "app.codename", rows of one model) -> primary key -> the grant that covers the row.
type Grants = Callable[[Any, str, Sequence[Model]], Mapping[Any, Granted]]
# denials(user, "app.codename", rows of one model) -> primary key -> why not, in words.
type Denials = Callable[[Any, str, Sequence[Model]], Mapping[Any, str | Promise]]

_Row = TypeVar("_Row", bound=Model)

STAFF = "admin"
SELLERS = "seller"

scopes: dict[tuple[type[Model], str], Narrow] = {}
grants: list[Grants] = []
denials: list[Denials] = []
masks: list[Callable[[type[Model], str], bool]] = []


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant that counts now: who gave it (in words), and when it ends."""

    giver: str
    until: dt.datetime


def register_scope(model: type[Model], site: str, narrow: Narrow) -> None:
    """Let `narrow(user, rows)` say which rows of `model` a person sees on `site`.

    On the seller site a model without a scope shows nothing; on the staff site, everything.
    """
    if scopes.setdefault((model, site), narrow) is not narrow:
        msg = f"{model._meta.label} has a scope on {site} already"
        raise ValueError(msg)


def register_grants(source: Grants) -> None:
    """Let `source(user, permission, rows)` name the rows for which a person was let in."""
    if source not in grants:
        grants.append(source)


def register_masks(is_masked: Callable[[type[Model], str], bool]) -> None:
    """Let `is_masked(model, field)` say which fields show a mask; `explain` tells it."""
    if is_masked not in masks:
        masks.append(is_masked)


def register_denials(refuse: Denials) -> None:
    """Let `refuse(user, permission, rows)` name rows for which no role and no grant counts.

    A superuser is no exception.
    """
    if refuse not in denials:
        denials.append(refuse)


def home(user: Person) -> str:
    """Return the site a person works on when nothing else is said."""
    return STAFF if getattr(user, "is_staff", False) else SELLERS


def scope(user: Person, rows: "QuerySet[_Row]", *, site: str | None = None) -> "QuerySet[_Row]":
    """Return those of `rows` that exist for `user` on `site` (by default the person's own)."""
    if not is_active(user):
        return rows.none()
    where = site or home(user)
    narrow = scopes.get((rows.model, where))
    if narrow is not None:
        return narrow(user, rows)
    return rows if where == STAFF and home(user) == STAFF else rows.none()


def scoped_models(site: str) -> set[type[Model]]:
    """Return the models that have a scope on `site`, for the checks of that site."""
    return {model for model, where in scopes if where == site}


def is_active(user: Person) -> bool:
    """Say whether somebody is signed in whose account is not blocked."""
    return bool(user.is_authenticated and user.is_active)
