"""Imports of one tenant (a shop): which rows they may touch, and who is whose.

Which key a person works for is found by a function of a project (`register`); the framework knows
no shops. An import that has a tenant is made by a format that is made for tenants, and every row
that it is about to write is looked at once more: a row of another tenant stops the import.
"""

from collections.abc import Callable

from backoffice.accounts.models import User
from backoffice.sheets.resources import Plan, Step

Finder = Callable[[User], str]

_finders: list[Finder] = []


class ForeignRowError(RuntimeError):
    """An import of one tenant was about to write a row of another: an error in a format."""


def register(finder: Finder) -> None:
    """Say how the tenant of a person is found: a key, "" for nobody's."""
    if finder not in _finders:
        _finders.append(finder)


def of(user: User) -> str:
    """Return the key of the tenant that the person works for; "" for staff and strangers."""
    return next((key for finder in _finders if (key := finder(user))), "")


def guard(plan: Plan, step: Step, tenant: str) -> None:
    """Raise ForeignRowError where a row of the plan is not the tenant's; "" is everybody's.

    Inside the transaction that writes the plan: a row may have been handed to another meanwhile.
    """
    rows = [row for row, _record in (*plan.create, *plan.update)]
    if tenant and rows and step.tenants_of(rows) != {tenant}:
        raise ForeignRowError(f"{step.dataset}: a row of another tenant")
