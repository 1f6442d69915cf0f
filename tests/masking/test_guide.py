"""The guide to who sees personal data: its example runs, and its table is whole."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings

from backoffice.accounts.models import User
from backoffice.audit import verbs
from customers.models import Customer

GUIDE = (Path(settings.BASE_DIR) / "docs" / "privacy.md").read_text(encoding="utf-8")


def test_example_runs(eve: User) -> None:
    code = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"eve": eve, "customer": Customer.objects.create(number="1")}
    exec(compile(code[1], "docs/privacy.md", "exec"), names)  # noqa: S102 - our own text
    assert names["why"].decided_by.rule.name == "role"


def test_every_event_that_gives_sight_of_personal_data_is_in_the_table() -> None:
    ours = [verb for verb in verbs.personal() if not verb.startswith(("test", "example"))]
    assert [verb for verb in ours if f"`{verb}`" not in GUIDE] == []


def test_table_names_no_event_that_there_is_not() -> None:
    named = set(re.findall(r"^\| ([^|]*`[a-z]+\.[a-z_*]+`[^|]*) \|", GUIDE, re.MULTILINE))
    found = {verb for cell in named for verb in re.findall(r"`([a-z]+\.[a-z_*]+)`", cell)}
    known = {verb for verb, _text in verbs.choices()}
    apps = {verb.split(".")[0] for verb in known}
    assert len(found) > 30
    for verb in found:
        start = verb.rstrip("*")
        assert any(one.startswith(start) for one in known) or start.split(".")[0] not in apps, verb
