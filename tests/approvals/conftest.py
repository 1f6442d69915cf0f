"""The rule of the tests, in force for one test."""

import pytest

from backoffice.approvals import registry
from backoffice.approvals.registry import Rule
from tests.approvals.rules import KIND, move_rule


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Rule:
    """One approver, two above £500, two of a higher right above £1,000."""
    rule = move_rule()
    monkeypatch.setitem(registry._rules, KIND, rule)
    return rule
