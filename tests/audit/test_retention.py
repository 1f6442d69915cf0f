"""Old events go from the beginning of the chain, no earlier than the law allows; the rest holds."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit import anchors, chain, retention, triggers, verbs
from backoffice.audit.models import Checkpoint, Event, EventReason, EventSubject, Seal
from backoffice.audit.services import record
from backoffice.audit.verify import verify
from tests.audit.conftest import sql, tampering

NOW = datetime(2028, 2, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def _years(eve: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three years of events, one a month, linked; each with a reason and a further subject."""
    for month in range(36):
        monkeypatch.setattr(timezone, "now", lambda m=month: NOW - (35 - m) * 30 * DAY)
        record(verbs.CHANGED, actor=eve, subject=eve, also=[eve], reason="Asked")
    chain.seal()


@pytest.mark.parametrize(("years", "kept"), [(0, 2027), (1, 2027), (2, 2026), (5, 2023)])
def test_events_are_kept_a_year_or_what_the_settings_say(
    years: int, kept: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BACKOFFICE_AUDIT_YEARS = years
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    assert retention.kept_since() == datetime(kept, 2, 28, 12, tzinfo=UTC)


@pytest.mark.usefixtures("_years")
def test_purge_takes_the_old_and_the_rest_verifies(kim: User) -> None:
    before, head = NOW - 400 * DAY, chain.head()
    old = Event.objects.filter(at__lt=before).count()
    assert retention.purge(before, actor=kim) == old == 22
    report = verify()
    assert (report.problems, report.first, report.checked) == ([], 23, 15)
    assert Seal.objects.get(pk=head.position).hash == head.hash
    assert not Event.objects.filter(at__lt=before).exists()
    assert (EventReason.objects.count(), EventSubject.objects.count()) == (14, 14)
    told = Event.objects.get(verb=verbs.PURGED)
    assert (told.actor, told.context["events"], told.context["position"]) == (kim, 22, 22)
    assert triggers.missing(connection) == []


@pytest.mark.usefixtures("_years")
def test_purge_of_what_has_to_be_kept_is_refused(kim: User, settings: Settings) -> None:
    with pytest.raises(retention.TooYoungError):
        retention.purge(NOW - 364 * DAY, actor=kim)
    settings.BACKOFFICE_AUDIT_YEARS = 2
    with pytest.raises(retention.TooYoungError):
        retention.purge(NOW - 400 * DAY, actor=kim)
    assert (Event.objects.count(), Checkpoint.objects.count()) == (36, 0)


@pytest.mark.usefixtures("_years")
def test_events_that_nobody_linked_are_not_purged(kim: User) -> None:
    with tampering():
        sql("DELETE FROM audit_seal WHERE position > 3")
        assert retention.purge(NOW - 400 * DAY, actor=kim) == 3


@pytest.mark.usefixtures("_years")
def test_purge_of_nothing_leaves_nothing_behind(kim: User) -> None:
    assert retention.purge(NOW - 4000 * DAY, actor=kim) == 0
    assert (Checkpoint.objects.count(), Event.objects.filter(verb=verbs.PURGED).count()) == (0, 0)


@pytest.mark.usefixtures("_years")
def test_second_purge_and_new_events_go_on_from_the_checkpoint(
    kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = anchors.take()
    retention.purge(NOW - 700 * DAY, actor=kim)
    monkeypatch.setattr(timezone, "now", lambda: NOW + 3000 * DAY)
    retention.purge(NOW + 100 * DAY, actor=kim)
    record(verbs.CHANGED, actor=kim)
    chain.seal()
    report = verify(anchors=[before])
    assert (report.problems, report.first, report.checked) == ([], 38, 2)
    assert Checkpoint.objects.count() == 2


@pytest.mark.usefixtures("_years")
def test_beginning_that_was_cut_without_a_purge_is_named(kim: User) -> None:
    with tampering():
        end = Seal.objects.get(pk=5)
        sql("DELETE FROM audit_seal WHERE position <= 5")
        assert verify().problems[0].kind == "missing"
        Checkpoint.objects.create(position=5, hash=end.hash, until=end.until)
        problem = verify().problems[0]
        assert (problem.kind, problem.text) == (
            "missing",
            "no event tells of the purge up to position 5",
        )
