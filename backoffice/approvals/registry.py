"""Rules: which kind of request who may approve, and what happens then."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.functional import Promise

if TYPE_CHECKING:
    from backoffice.approvals.models import ApprovalRequest

    Hook = Callable[["ApprovalRequest"], None]


def _nothing(request: "ApprovalRequest") -> None:
    """Do nothing: the default of a rule's hooks."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of request is decided.

    `permission` ("app.codename") is asked of whoever decides; never the maker, a superuser
    included. `execute` and `on_reject` (also called on withdrawal and expiry) run inside the
    transaction of the decision, so both happen or neither. A request waits `expires` at most.
    """

    kind: str
    label: str | Promise
    permission: str
    execute: "Hook"
    on_reject: "Hook" = _nothing
    expires: timedelta = field(default=timedelta(hours=72))


_rules: dict[str, Rule] = {}


def register(rule: Rule) -> Rule:
    """Put `rule` in force; a second rule of the same kind is an error."""
    if rule.kind in _rules:
        msg = f"a rule for {rule.kind} is registered already"
        raise ValueError(msg)
    _rules[rule.kind] = rule
    return rule


def rule(kind: str) -> Rule:
    """Return the rule of `kind`; raises LookupError when its app is not installed."""
    try:
        return _rules[kind]
    except KeyError:
        msg = f"no rule for {kind}"
        raise LookupError(msg) from None


def rules() -> list[Rule]:
    """Return all rules in force."""
    return list(_rules.values())
