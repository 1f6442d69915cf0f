"""Events that brought nothing are forgotten after a while; all others stay."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backoffice.jobs import registry
from payments.models import InboxEvent
from payments.services import pruning

pytestmark = pytest.mark.django_db
S = InboxEvent.State
OLD = pruning.KEPT + timedelta(hours=1)


def event(name: str, state: InboxEvent.State, age: timedelta) -> None:
    at = timezone.now() - age
    ended = None if state == S.WAITING else at
    InboxEvent.objects.create(
        gateway="toss", event_id=name, kind="refund", state=state, received_at=at,
        processed_at=ended,
    )  # fmt: skip


def left() -> list[str]:
    return list(InboxEvent.objects.order_by("pk").values_list("event_id", flat=True))


def test_only_what_was_ignored_long_ago_is_forgotten() -> None:
    for state in S:
        event(f"old {state}", state, OLD)
    event("new ignored", S.IGNORED, pruning.KEPT - timedelta(hours=1))
    assert pruning.forget_ignored() == 1
    assert left() == ["old waiting", "old done", "old failed", "new ignored"]
    assert pruning.forget_ignored() == 0


def test_many_are_forgotten_in_parts_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    for number in range(7):
        event(str(number), S.IGNORED, OLD)
    assert (pruning.forget_ignored(most=4), left()) == (4, ["4", "5", "6"])
    assert (pruning.forget_ignored(most=4), left()) == (3, [])


def test_it_is_done_by_the_clock_once_a_day() -> None:
    repeats = {one.name: one for one in registry.recurring()}
    assert repeats["payments.forget_events"].seconds == 24 * 3600
