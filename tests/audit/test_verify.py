"""Whoever writes to the database past the triggers is found out, and what they did is named."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.audit import anchors, chain, verbs
from backoffice.audit.models import Event, EventReason, Seal
from backoffice.audit.services import record
from backoffice.audit.verify import Problem, Report, verify
from tests.audit.conftest import sql, tampering


def first_problem(report: Report) -> tuple[str, int | None, int | None]:
    """Return kind, position and event of the first problem but the triggers that were lifted."""
    found: Problem = report.problems[0]
    return found.kind, found.position, found.event


def test_untouched_chain_is_sound(events: list[Event]) -> None:
    report = verify()
    assert (report.problems, report.checked, report.head.position) == ([], 10, 10)
    assert (report.unsealed, report.oldest_unsealed) == (0, None)


def test_empty_record_is_sound(db: None) -> None:
    assert verify().problems == []


def test_tail_that_waits_for_the_sealer_is_reported_and_no_problem(
    events: list[Event], eve: User
) -> None:
    waiting = record(verbs.CHANGED, actor=eve)
    report = verify()
    assert (report.problems, report.unsealed, report.oldest_unsealed) == ([], 1, waiting.at)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", timezone.now() - timedelta(days=700)),
        ("actor_id", None),
        ("verb", "record.viewed"),
        ("subject_type", "orders.order"),
        ("subject_id", "4711"),
        ("reason_hash", "0" * 64),
        ("outcome", "refused"),
        ("context", '{"day": 77}'),
        ("address", "192.0.2.9"),
        ("session", "feed"),
        ("request_id", "another"),
    ],
)
def test_changed_column_is_named(events: list[Event], column: str, value: object) -> None:
    with tampering():
        sql(f"UPDATE audit_event SET {column} = %s WHERE id = %s", value, events[4].pk)  # noqa: S608
        assert first_problem(verify()) == ("changed", 5, events[4].pk)


def test_changed_real_actor_is_named(events: list[Event], kim: User) -> None:
    with tampering():
        sql("UPDATE audit_event SET real_actor_id = %s WHERE id = %s", kim.pk, events[4].pk)
        assert first_problem(verify()) == ("changed", 5, events[4].pk)


def test_changed_further_subject_is_named(events: list[Event]) -> None:
    with tampering():
        sql("UPDATE audit_eventsubject SET subject_id = '99'")
        assert first_problem(verify()) == ("changed", 7, events[6].pk)


def test_further_subject_that_was_slipped_in_is_named(events: list[Event]) -> None:
    with tampering():
        sql(
            "INSERT INTO audit_eventsubject (event_id, position, subject_type, subject_id)"
            " VALUES (%s, 1, 'orders.order', '1')",
            events[1].pk,
        )
        assert first_problem(verify()) == ("changed", 2, events[1].pk)


def test_changed_link_is_named(events: list[Event]) -> None:
    with tampering():
        sql("UPDATE audit_seal SET hash = %s WHERE position = 4", "f" * 64)
        assert first_problem(verify())[:2] == ("changed", 4)


def test_deleted_event_is_named(events: list[Event]) -> None:
    with tampering():
        sql("DELETE FROM audit_event WHERE id = %s", events[4].pk)
        assert first_problem(verify()) == ("missing", 5, events[4].pk)


def test_event_deleted_with_its_link_leaves_a_gap(events: list[Event]) -> None:
    with tampering():
        sql("DELETE FROM audit_seal WHERE position = 5")
        sql("DELETE FROM audit_event WHERE id = %s", events[4].pk)
        assert first_problem(verify()) == ("missing", 5, None)


def test_gap_that_was_closed_is_named(events: list[Event]) -> None:
    with tampering():
        sql("DELETE FROM audit_seal WHERE position = 5")
        sql("DELETE FROM audit_event WHERE id = %s", events[4].pk)
        for position in range(6, 11):
            sql("UPDATE audit_seal SET position = position - 1 WHERE position = %s", position)
        assert first_problem(verify()) == ("missing", 5, events[5].pk)


def slip_in(days_ago: int) -> int:
    """Insert a copy of the newest event, dated back; return its key."""
    at = timezone.now() - timedelta(days=days_ago)
    Event.objects.bulk_create([Event(at=at, verb=verbs.CHANGED, subject_type="customers.customer")])
    return int(Event.objects.latest("pk").pk)


def test_event_dated_between_linked_ones_is_named(events: list[Event]) -> None:
    slipped = slip_in(5)
    assert chain.seal() == 0
    assert first_problem(verify()) == ("inserted", None, slipped)


def test_event_dated_into_the_future_is_named(events: list[Event]) -> None:
    slipped = slip_in(-5)
    assert chain.seal() == 0
    assert first_problem(verify()) == ("inserted", None, slipped)


@pytest.mark.sqlite
def test_event_with_a_key_between_linked_ones_is_named(events: list[Event], eve: User) -> None:
    gone = record(verbs.CHANGED, actor=eve)
    record(verbs.CHANGED, actor=eve)
    with tampering():
        sql("DELETE FROM audit_event WHERE id = %s", gone.pk)
        chain.seal()
        Event(pk=gone.pk, verb=verbs.CHANGED).save(force_insert=True)
        assert chain.seal() == 0
        assert first_problem(verify()) == ("inserted", None, gone.pk)


def test_link_that_was_slipped_in_is_named(events: list[Event]) -> None:
    slipped = slip_in(5)
    with tampering():
        for position in range(10, 5, -1):
            sql("UPDATE audit_seal SET position = position + 1 WHERE position = %s", position)
        before = Seal.objects.get(pk=5)
        row = Event.objects.values_list(*chain.COLUMNS).get(pk=slipped)
        until = before.until
        forged = chain.link(before.hash, 6, chain.moment(until), False, row, [])
        Seal.objects.create(
            position=6, event_id=slipped, previous=before.hash, hash=forged, until=until
        )
        assert first_problem(verify()) == ("inserted", 6, slipped)


def test_swapped_events_are_named(events: list[Event]) -> None:
    one, two = events[2].pk, events[4].pk
    with tampering():
        for old, new in ((one, -1), (two, one), (-1, two)):
            sql("UPDATE audit_event SET id = %s WHERE id = %s", new, old)
        assert first_problem(verify()) == ("reordered", 3, one)


def test_links_that_point_at_each_others_events_are_named(events: list[Event]) -> None:
    one, two, spare = events[2].pk, events[4].pk, slip_in(0)
    with tampering():
        for old, new in ((one, spare), (two, one), (spare, two)):
            sql("UPDATE audit_seal SET event_id = %s WHERE event_id = %s", new, old)
        assert first_problem(verify()) == ("reordered", 3, two)


def test_swapped_links_are_named(events: list[Event]) -> None:
    with tampering():
        for old, new in ((3, 99), (5, 3), (99, 5)):
            sql("UPDATE audit_seal SET position = %s WHERE position = %s", new, old)
        assert first_problem(verify()) == ("reordered", 3, events[4].pk)


def test_cut_tail_shows_against_an_anchor(events: list[Event]) -> None:
    anchor = anchors.take()
    with tampering():
        sql("DELETE FROM audit_seal WHERE position > 8")
        sql("DELETE FROM audit_event WHERE id >= %s", events[8].pk)
        assert [found.kind for found in verify().problems] == ["unguarded"]
        assert first_problem(verify(anchors=[anchor]))[:2] == ("cut", 10)


def test_chain_written_anew_shows_against_an_anchor(events: list[Event]) -> None:
    anchor = anchors.take()
    with tampering():
        sql("DELETE FROM audit_seal")
        sql("UPDATE audit_event SET actor_id = NULL WHERE id = %s", events[4].pk)
        chain.seal()
        assert [found.kind for found in verify().problems] == ["unguarded"]
        assert first_problem(verify(anchors=[anchor]))[:2] == ("changed", 10)


def test_changed_reason_is_named(events: list[Event]) -> None:
    with tampering():
        sql("UPDATE audit_eventreason SET text = 'Something else'")
        assert first_problem(verify()) == ("changed", 7, events[6].pk)


def test_reason_emptied_without_an_event_is_named(events: list[Event]) -> None:
    """The trigger lets through what looks like erasing; the event it names must be one."""
    EventReason.objects.update(text="", salt="", erased_in=events[0])
    assert first_problem(verify()) == ("changed", None, events[6].pk)


def test_deleted_reason_is_named(events: list[Event]) -> None:
    with tampering():
        sql("DELETE FROM audit_eventreason")
        assert first_problem(verify()) == ("missing", 7, events[6].pk)


def test_since_begins_later_and_still_finds_what_lies_there(events: list[Event]) -> None:
    since = timezone.now() - timedelta(days=3, hours=1)
    report = verify(since=since)
    assert (report.problems, report.first, report.checked) == ([], 7, 4)
    with tampering():
        sql("UPDATE audit_event SET outcome = 'failed' WHERE id = %s", events[8].pk)
        assert first_problem(verify(since=since)) == ("changed", 9, events[8].pk)


def test_missing_triggers_are_a_problem_of_their_own(events: list[Event]) -> None:
    with tampering():
        problem = verify().problems[0]
    assert (problem.kind, "audit_event_no_delete" in problem.text) == ("unguarded", True)


def test_event_of_a_wrong_time_is_taken_in_when_somebody_stands_for_it(
    events: list[Event],
) -> None:
    slip_in(5)
    assert (chain.seal(), chain.seal(late=True)) == (0, 1)
    report = verify()
    assert (report.problems, report.late, report.checked) == ([], 1, 11)


def test_verify_asks_a_constant_number_of_queries_a_batch(
    events: list[Event], django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(14):  # type: ignore[operator]
        verify()
