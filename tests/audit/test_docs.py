"""The example of docs/audit.md, run as it stands there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from backoffice.accounts.models import User
from backoffice.audit import chain, verbs
from backoffice.audit.models import Event
from backoffice.audit.verify import verify
from customers.models import Customer

GUIDE = (Path(settings.BASE_DIR) / "docs" / "audit.md").read_text(encoding="utf-8")


@pytest.fixture
def guide() -> Iterator[dict[str, Any]]:
    """Return the names that the example makes."""
    code = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(code[1], "docs/audit.md", "exec"), names)  # noqa: S102 - our own text
    yield names
    verbs._verbs.pop(names["MERGED"])


def test_example_of_the_guide_is_found_from_both_records_and_proved(
    guide: dict[str, Any], eve: User
) -> None:
    kept, gone = (Customer.objects.create(number=number) for number in "12")
    guide["merge"](kept, gone, actor=eve, reason="Same person")
    (event,) = Event.objects.about(gone)
    assert list(Event.objects.about(kept)) == [event]
    assert (event.verb_label, event.reason) == ("Two customers made one", "Same person")
    chain.seal()
    assert (verify().problems, verify().checked) == ([], 1)


@pytest.mark.parametrize("verb", ["seal", "verify", "anchor", "purge", "erase-reasons"])
def test_guide_names_every_verb_of_the_command(verb: str) -> None:
    assert f"audit {verb}" in GUIDE
