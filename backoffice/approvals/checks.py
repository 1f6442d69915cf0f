"""System checks: the rules in force make sense, as written in code and as changed by settings."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error

from backoffice.approvals import registry
from backoffice.approvals.registry import Rule
from backoffice.approvals.rights import declared


def check_rules(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report rules that nobody could ever fulfil, and settings that name no rule or no value."""
    rules = {rule.kind: rule for rule in registry.registered()}
    found: list[CheckMessage] = [message for rule in rules.values() for message in _wrong(rule)]
    for kind, changes in registry.overrides().items():
        if kind not in rules:
            hint = f"Rules are registered for {', '.join(sorted(rules)) or 'nothing'}."
            found.append(_error(f"names no rule: {kind!r}", "backoffice.E021", hint))
            continue
        try:
            changed = registry.overridden(rules[kind], changes)
        except (TypeError, ValueError) as error:
            found.append(_error(f"{kind}: {error}", "backoffice.E022", "See docs/approvals.md."))
        else:
            found += _wrong(changed)
    return found


def _error(text: str, check: str, hint: str) -> Error:
    return Error(f"BACKOFFICE_APPROVALS {text}.", hint=hint, id=check)


def _wrong(rule: Rule) -> Iterator[Error]:
    known = declared().keys()
    for permission in sorted(rule.permissions() - known):
        yield Error(
            f"The approval rule {rule.kind} asks for {permission}, which no model declares.",
            hint="Nobody could approve. Add it to Meta.permissions, or correct the name.",
            id="backoffice.E023",
        )
    if rule.approvers < (0 if rule.bands else 1) or any(band.approvers < 1 for band in rule.bands):
        yield Error(
            f"The approval rule {rule.kind} needs nobody.",
            hint="Ask for at least one approver; 0 only where a band asks for more.",
            id="backoffice.E024",
        )
    steps = [(band.above.currency, band.above.minor) for band in rule.bands]
    if len(set(steps)) != len(steps):
        yield Error(
            f"The approval rule {rule.kind} has two bands from the same amount on.",
            hint="Keep one of them.",
            id="backoffice.E025",
        )
