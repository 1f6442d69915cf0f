"""`manage.py audit`: what it says, what it refuses, and its exit code."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit import anchors, chain, verbs
from backoffice.audit.models import Event
from backoffice.audit.services import record
from customers.models import Customer
from tests.audit.conftest import sql, tampering
from tests.audit.test_verify import slip_in


@pytest.fixture(autouse=True)
def anchor_file(tmp_path: Path, settings: Settings) -> Path:
    """Return the anchor file of the settings, not made yet."""
    path = tmp_path / "anchors.jsonl"
    settings.BACKOFFICE_AUDIT_ANCHORS = str(path)
    return path


def audit(*arguments: str, **options: Any) -> list[str]:
    """Run the command; return what it said, by lines."""
    out = StringIO()
    call_command("audit", *arguments, stdout=out, **options)
    return out.getvalue().splitlines()


def test_seal_links_and_names_the_head(eve: User) -> None:
    record(verbs.CHANGED, actor=eve)
    assert audit("seal") == [f"1 links, head {chain.head().hash}"]


def test_verify_tells_what_it_checked(events: list[Event], eve: User) -> None:
    record(verbs.CHANGED, actor=eve)
    lines = audit("verify")
    assert lines[0] == f"10 links checked, from 1 on; head {chain.head().hash}"
    assert lines[2].startswith("1 events not sealed yet, the oldest of ")


def test_verify_fails_and_names_the_row(events: list[Event]) -> None:
    with tampering():
        sql("UPDATE audit_event SET verb = 'record.viewed' WHERE id = %s", events[4].pk)
        with pytest.raises(CommandError, match=rf"changed: event {events[4].pk} \(position 5\)"):
            audit("verify")


def test_verify_since_a_day_begins_there(events: list[Event]) -> None:
    day = timezone.localtime(events[8].at).date().isoformat()
    assert audit("verify", "--since", day)[0].startswith("2 links checked, from 9 on")


def test_anchor_appends_a_line_and_verify_compares_it(
    events: list[Event], anchor_file: Path
) -> None:
    for _ in range(2):
        audit("anchor")
    head = chain.head()
    lines = [json.loads(line) for line in anchor_file.read_text().splitlines()]
    assert [(line["position"], line["hash"]) for line in lines] == [(10, head.hash)] * 2
    assert anchor_file.stat().st_mode & 0o777 == 0o600
    assert audit("verify")[1].startswith("2 anchors compared")
    with tampering():
        sql("DELETE FROM audit_seal WHERE position = 10")
        sql("DELETE FROM audit_event WHERE id = %s", events[9].pk)
        with pytest.raises(CommandError, match="cut: the chain ends at position 9"):
            audit("verify")


def test_anchor_seals_first(eve: User, anchor_file: Path) -> None:
    record(verbs.CHANGED, actor=eve)
    audit("anchor")
    assert [anchor.position for anchor in anchors.read(anchor_file)] == [1]


def test_anchor_by_mail_holds_the_head_and_leaves_the_file(
    events: list[Event], anchor_file: Path
) -> None:
    audit("anchor", "--mail", "auditor@example.com")
    (message,) = mail.outbox
    assert message.to == ["auditor@example.com"]
    assert json.loads(str(message.body))["hash"] == chain.head().hash
    assert not anchor_file.exists()


def test_broken_anchor_file_is_an_error_with_its_line(
    events: list[Event], anchor_file: Path
) -> None:
    audit("anchor")
    with anchor_file.open("a") as file:
        file.write("{}\n")
    with pytest.raises(CommandError, match="line 2 is no anchor"):
        audit("verify")


def test_named_anchor_file_that_is_missing_is_an_error(events: list[Event]) -> None:
    with pytest.raises(CommandError, match="no file"):
        audit("verify", "--anchors", "nowhere.jsonl")


def test_anchors_are_kept_when_the_head_has_moved(
    events: list[Event], eve: User, anchor_file: Path
) -> None:
    anchors.keep()
    anchors.keep()
    record(verbs.CHANGED, actor=eve)
    anchors.keep()
    assert [anchor.position for anchor in anchors.read(anchor_file)] == [10, 11]


def test_no_anchor_file_in_the_settings_keeps_none(events: list[Event], settings: Settings) -> None:
    settings.BACKOFFICE_AUDIT_ANCHORS = ""
    anchors.keep()
    assert anchors.default_file() is None
    with pytest.raises(CommandError, match="Say where"):
        audit("anchor")


def test_late_events_are_taken_in_by_name_only(events: list[Event], kim: User) -> None:
    slip_in(5)
    with pytest.raises(CommandError, match="--by"):
        audit("seal", "--late")
    audit("seal", "--late", "--by", "kim")
    told = Event.objects.get(verb=verbs.TAKEN_IN)
    assert (told.actor, told.context) == (kim, {"events": 1})
    assert audit("verify")[1].endswith("1 late")


def test_purge_only_counts_until_confirmed(events: list[Event], kim: User) -> None:
    sent = ("purge", "--before", "2020-01-01", "--by", "kim")
    assert audit(*sent) == ["links up to none would go; add --confirm to do it"]
    assert audit(*sent, "--confirm") == ["0 events purged"]


def test_purge_of_what_has_to_be_kept_is_refused(events: list[Event], kim: User) -> None:
    today = timezone.now().date().isoformat()
    with pytest.raises(CommandError, match="have to be kept"):
        audit("purge", "--before", today, "--by", "kim", "--confirm")


def test_erase_reasons_names_who_decided(eve: User, kim: User) -> None:
    customer = Customer.objects.create(number="1")
    record(verbs.CHANGED, actor=eve, subject=customer, reason="Ms Keller called")
    assert audit("erase-reasons", f"customers.customer:{customer.pk}", "--by", "kim") == [
        "1 reasons erased"
    ]
    assert Event.objects.get(verb=verbs.REASONS_ERASED).actor == kim


@pytest.mark.parametrize(
    "arguments",
    [
        ("erase-reasons", "customers.customer:0", "--by", "kim"),
        ("erase-reasons", "customers.nobody:1", "--by", "kim"),
        ("erase-reasons", "customers.customer:x", "--by", "kim"),
        ("erase-reasons", "nonsense", "--by", "kim"),
        ("purge", "--before", "yesterday", "--by", "kim"),
        ("purge", "--before", "2020-13-01", "--by", "kim"),
        ("purge", "--before", "2020-01-01", "--by", "nobody"),
    ],
)
def test_what_cannot_be_understood_is_an_error(kim: User, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        audit(*arguments)
