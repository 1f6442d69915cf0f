"""The example of docs/approvals.md, run as it stands there."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from backoffice.accounts.models import User
from backoffice.approvals import registry
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.registry import SETTABLE, Rule
from backoffice.site import sites
from backoffice.site.actions import declared
from sellers.models import Seller
from tests.factories import make_seller
from tests.people import allow

GUIDE = Path(settings.BASE_DIR) / "docs" / "approvals.md"
RIGHT = "sellers.change_seller"


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the first example; its rule goes with the test."""
    monkeypatch.setattr(registry, "_rules", dict(registry._rules))
    found: dict[str, Any] = {}
    exec(compile(examples()[0], str(GUIDE), "exec"), found)  # noqa: S102 - our own document
    return found


def test_action_of_the_guide_names_its_rule(names: dict[str, Any]) -> None:
    page = names["ClosingAdmin"](Seller, sites.staff_site)
    spec = next(spec for spec in declared(page) if spec.name == "close_shop")
    assert spec.approval == names["CLOSE"].kind


def test_service_of_the_guide_runs_with_its_second_vote(
    names: dict[str, Any], ann: User, max_: User, kim: User
) -> None:
    seller = make_seller()
    people = {"maker": ann, "first": allow(max_, RIGHT), "second": allow(kim, RIGHT)}
    exec(compile(examples()[1], str(GUIDE), "exec"), {"seller": seller, **people})  # noqa: S102
    assert ApprovalRequest.objects.get().votes.count() == 2
    assert Seller.objects.get(pk=seller.pk).status == Seller.Status.CLOSED


def test_rule_of_the_guide_takes_ten_lines_at_most() -> None:
    rule = examples()[0].partition("CLOSE = ")[2].partition("))\n")[0]
    assert len(rule.splitlines()) <= 10


def test_guide_names_every_field_of_a_rule_and_every_setting() -> None:
    text = GUIDE.read_text()
    fields = set(Rule.__dataclass_fields__) - {"kind", "label", "excluded_label"}
    assert [name for name in sorted(fields) if f"`{name}`" not in text] == []
    assert [name for name in SETTABLE if f'"{name}"' not in text] == []
