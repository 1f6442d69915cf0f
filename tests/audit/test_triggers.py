"""The database refuses what the record must not suffer; migrations make it do so."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from backoffice.audit import triggers
from backoffice.audit.models import Checkpoint, Event, EventReason, EventSubject, Seal
from tests.audit.conftest import sql, tampering

ROWS: tuple[type[Model], ...] = (Event, EventSubject, EventReason, Seal, Checkpoint)


@pytest.fixture
def _full(events: list[Event]) -> None:
    """Every table of the record has a row."""
    Checkpoint.objects.create(position=1, hash="a" * 64, until=events[0].at)


def refused(act: Callable[[], object]) -> bool:
    """Say whether the database refused, and only because rows may only be added."""
    try:
        with transaction.atomic():
            act()
    except DatabaseError as error:
        return "only grows" in str(error)
    return False


def test_migrated_database_has_the_triggers(db: None) -> None:
    assert triggers.present(connection) == triggers.statements(connection.vendor).keys()
    assert len(triggers.present(connection)) == 15


@pytest.mark.usefixtures("_full")
@pytest.mark.parametrize("model", ROWS)
def test_rows_cannot_be_changed(model: type[Model]) -> None:
    table, key = model._meta.db_table, model._meta.pk.column
    assert refused(lambda: sql(f"UPDATE {table} SET {key} = {key}"))  # noqa: S608
    assert refused(lambda: model._default_manager.update(**{str(key): 5}))


@pytest.mark.usefixtures("_full")
@pytest.mark.parametrize("model", ROWS)
def test_rows_cannot_be_deleted(model: type[Model]) -> None:
    assert refused(lambda: sql(f"DELETE FROM {model._meta.db_table}"))  # noqa: S608


@pytest.mark.postgres
@pytest.mark.usefixtures("_full")
@pytest.mark.parametrize("model", ROWS)
def test_tables_cannot_be_truncated(model: type[Model]) -> None:
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    assert refused(lambda: sql(f"TRUNCATE {model._meta.db_table} CASCADE"))


@pytest.mark.sqlite
@pytest.mark.usefixtures("_full")
@pytest.mark.parametrize("model", ROWS)
def test_rows_cannot_be_replaced(model: type[Model]) -> None:
    table = model._meta.db_table
    assert refused(lambda: sql(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"))  # noqa: S608


@pytest.mark.postgres
def test_rows_cannot_be_upserted(events: list[Event]) -> None:
    with pytest.raises(DatabaseError, match="only grows"):
        Event.objects.bulk_create(
            [Event(pk=events[0].pk, verb="x")],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["verb"],
        )


@pytest.mark.parametrize(
    "change",
    ["text = ''", "text = 'other'", "text = '', salt = ''", "event_id = event_id + 1"],
)
def test_reason_cannot_be_changed_but_by_erasing(events: list[Event], change: str) -> None:
    assert refused(lambda: sql(f"UPDATE audit_eventreason SET {change}"))  # noqa: S608


def test_erased_reason_cannot_be_erased_again(events: list[Event]) -> None:
    erase = "UPDATE audit_eventreason SET text = '', salt = '', erased_in_id = %s"
    sql(erase, events[0].pk)
    assert refused(lambda: sql(erase, events[1].pk))


def test_lifted_triggers_are_back_after_the_block(events: list[Event]) -> None:
    with triggers.lifted(connection):
        sql("UPDATE audit_event SET verb = 'record.viewed'")
    assert triggers.missing(connection) == []


def test_error_inside_leaves_the_triggers_where_they_are(events: list[Event]) -> None:
    with pytest.raises(ZeroDivisionError), triggers.lifted(connection):
        raise ZeroDivisionError
    assert triggers.missing(connection) == []


def test_missing_trigger_is_named_and_made_anew(events: list[Event]) -> None:
    with tampering():
        assert len(triggers.missing(connection)) == 15
        triggers.install(connection)
        assert triggers.missing(connection) == []
        assert refused(lambda: sql("DELETE FROM audit_event"))


@pytest.mark.postgres
def test_disabled_trigger_counts_as_missing(db: None) -> None:
    sql("ALTER TABLE audit_event DISABLE TRIGGER audit_event_no_update")
    assert triggers.missing(connection) == ["audit_event_no_update"]
    triggers.install(connection)
    assert triggers.missing(connection) == []


@pytest.mark.django_db(transaction=True)
def test_triggers_hold_in_tests_that_end_with_a_flush(events: list[Event]) -> None:
    assert refused(lambda: sql("DELETE FROM audit_event"))
