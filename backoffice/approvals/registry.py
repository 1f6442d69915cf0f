"""Rules: which kind of request who may approve, how many of them, and what happens then.

    registry.register(Rule(
        kind="customers.block",
        label=_("Block a customer"),
        permission="customers.approve_block",
        execute=lambda request: services.block(request.record(), actor=request.decided_by),
    ))

Rules are code; the setting BACKOFFICE_APPROVALS changes the numbers of one without a release:

    BACKOFFICE_APPROVALS = {
        "payments.refund": {
            "bands": [{"above": "500.00 GBP", "approvers": 2}],
            "expires_hours": 48,
        },
    }
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.functional import Promise

from backoffice.money import Money

if TYPE_CHECKING:
    from backoffice.approvals.models import ApprovalRequest

    Hook = Callable[["ApprovalRequest"], None]
    Facts = Callable[["ApprovalRequest"], Mapping[str, Any]]
    People = Callable[["ApprovalRequest"], Iterable[Any]]
    Effects = Callable[["ApprovalRequest"], Sequence["Effect"]]
    Amount = Callable[["ApprovalRequest"], Money | None]
    Least = Callable[["ApprovalRequest"], int]

type Text = str | Promise


@dataclass(frozen=True, slots=True)
class Band:
    """What a request of more than `above` needs; an empty `permission` is the rule's own."""

    above: Money
    approvers: int = 1
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """How many people with which permission ("app.codename") have to approve; 0 is nobody."""

    approvers: int
    permission: str


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of the view before and after: what stands there now, and once it is approved."""

    label: Text
    before: str
    after: str


def _nothing(request: "ApprovalRequest") -> None:
    """Do nothing: the default of a rule's hooks."""


def _no_facts(request: "ApprovalRequest") -> Mapping[str, Any]:
    return {}


def _nobody(request: "ApprovalRequest") -> Iterable[Any]:
    return ()


def _no_effects(request: "ApprovalRequest") -> Sequence[Effect]:
    return ()


def _no_least(request: "ApprovalRequest") -> int:
    return 0


def amount_in_payload(request: "ApprovalRequest") -> Money | None:
    """Return the amount of a payload with `amount_minor` and `currency`; None without one."""
    minor, currency = request.payload.get("amount_minor"), request.payload.get("currency")
    return Money(minor, currency) if isinstance(minor, int) and currency else None


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of request is decided.

    `permission` ("app.codename") is asked of whoever decides; never the maker, a superuser
    included. `approvers` people have to agree, or as many as the highest of the `bands` that
    `amount` reaches says. An amount in a currency without a band, or none, counts as the highest.
    `least` says how many a request needs whatever its amount and the settings are.
    `excluded` names further people (or their keys) who must not decide, as the record's owner.

    `snapshot` returns the facts of the record that the decision rests on, without personal values;
    when they or the payload change before the execution, the request is void. `effects` is what
    approvers see: before and after. `execute` runs in one transaction with the move to "executed":
    both happen or neither, and never twice; with `slow` a job does it. It raises VoidError when
    the request does not hold any more, ValidationError when it cannot be done. `on_reject` is
    called, in the same transaction, when a request ends without its execution.

    A request waits `expires` at most. `step_up` asks whoever decides for their password anew
    (ten minutes). `delegable` lets a stand-in decide.
    """

    kind: str
    label: Text
    permission: str
    execute: "Hook"
    on_reject: "Hook" = _nothing
    expires: timedelta = timedelta(hours=72)
    approvers: int = 1
    bands: tuple[Band, ...] = ()
    amount: "Amount" = amount_in_payload
    least: "Least" = _no_least
    excluded: "People" = _nobody
    excluded_label: Text = ""
    snapshot: "Facts" = _no_facts
    effects: "Effects" = _no_effects
    step_up: bool = True
    delegable: bool = True
    slow: bool = False

    def needs(self, request: "ApprovalRequest") -> Needs:
        """Return what this request needs by its amount."""
        needs = self.needs_for(self.amount(request) if self.bands else None)
        return replace(needs, approvers=max(needs.approvers, self.least(request)))

    def needs_for(self, amount: Money | None) -> Needs:
        """Return what a request of this amount needs."""
        usual = Needs(self.approvers, self.permission)
        if not self.bands:
            return usual
        same = [band for band in self.bands if amount and band.above.currency == amount.currency]
        if amount is None or not same:
            return self._strictest()
        reached = [band for band in same if amount.minor > band.above.minor]
        if not reached:
            return usual
        return self._of_band(max(reached, key=lambda band: band.above.minor))

    def permissions(self) -> set[str]:
        """Return all permissions that this rule asks of approvers."""
        return {self.permission, *(band.permission for band in self.bands if band.permission)}

    def _of_band(self, band: Band) -> Needs:
        return Needs(band.approvers, band.permission or self.permission)

    def _strictest(self) -> Needs:
        band = max(self.bands, key=lambda band: (band.approvers, band.permission != ""))
        own, highest = Needs(self.approvers, self.permission), self._of_band(band)
        return own if own.approvers > highest.approvers else highest


_rules: dict[str, Rule] = {}


def register(rule: Rule) -> Rule:
    """Put `rule` in force; a second rule of the same kind is an error."""
    if rule.kind in _rules:
        msg = f"a rule for {rule.kind} is registered already"
        raise ValueError(msg)
    _rules[rule.kind] = rule
    return rule


def rule(kind: str) -> Rule:
    """Return the rule of `kind` as in force; raises LookupError when its app is not installed."""
    try:
        found = _rules[kind]
    except KeyError:
        msg = f"no rule for {kind}"
        raise LookupError(msg) from None
    changes = overrides().get(kind)
    return overridden(found, changes) if changes else found


def rules() -> list[Rule]:
    """Return all rules in force."""
    return [rule(kind) for kind in _rules]


def registered() -> list[Rule]:
    """Return all rules as written in code."""
    return list(_rules.values())


def overrides() -> Mapping[str, Mapping[str, Any]]:
    """Return the setting BACKOFFICE_APPROVALS: kind -> what it changes."""
    return getattr(settings, "BACKOFFICE_APPROVALS", {})


def overridden(found: Rule, changes: Mapping[str, Any]) -> Rule:
    """Return the rule with the changes of the settings.

    Raises ValueError for a name that cannot be set and for a value that is none (`checks` says so
    at the start).
    """
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in SETTABLE:
            msg = f"{name} cannot be set; {', '.join(SETTABLE)} can"
            raise ValueError(msg)
        attribute, read = SETTABLE[name]
        values[attribute] = read(value)
    return replace(found, **values)


def _at_least(least: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            msg = f"{value!r} is no whole number from {least} on"
            raise ValueError(msg)
        return value

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        msg = f"{value!r} is neither True nor False"
        raise TypeError(msg)
    return value


def _permission(value: Any) -> str:
    if not isinstance(value, str) or value.count(".") != 1:
        msg = f'{value!r} is no permission like "app.codename"'
        raise ValueError(msg)
    return value


def _hours(value: Any) -> timedelta:
    return timedelta(hours=_at_least(1)(value))


def _money(value: Any) -> Money:
    text, _, currency = str(value).partition(" ")
    return Money.of(text, currency)


def _bands(value: Any) -> tuple[Band, ...]:
    return tuple(_band(dict(entry)) for entry in value)


def _band(entry: dict[str, Any]) -> Band:
    band = Band(
        above=_money(entry.pop("above", "")),
        approvers=_at_least(1)(entry.pop("approvers", 1)),
        permission=_permission(entry.pop("permission")) if "permission" in entry else "",
    )
    if entry:
        msg = f"a band has no {', '.join(sorted(entry))}"
        raise ValueError(msg)
    return band


# Name in the settings -> attribute of the rule, and what reads its value. 0 approvers: only what
# reaches a band is asked for.
SETTABLE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "permission": ("permission", _permission),
    "approvers": ("approvers", _at_least(0)),
    "bands": ("bands", _bands),
    "expires_hours": ("expires", _hours),
    "step_up": ("step_up", _flag),
    "delegable": ("delegable", _flag),
}
