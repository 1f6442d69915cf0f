"""The role of docs/audit.md can write and read the record, and nothing else (PostgreSQL)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from backoffice.accounts.models import User
from backoffice.audit import triggers, verbs
from backoffice.audit.models import Event
from backoffice.audit.services import erase_reasons, record
from tests.audit.conftest import sql

pytestmark = pytest.mark.postgres
GUIDE = Path(settings.BASE_DIR) / "docs" / "audit.md"


@pytest.fixture
def _as_application(events: list[Event]) -> Iterator[None]:
    """Run as the role that the guide makes. Without the triggers: the grants hold alone."""
    block = re.search(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    triggers.lift(connection)
    sql(block[1].replace("%", "%%"))
    sql("SET LOCAL ROLE backoffice_app")
    yield
    sql("RESET ROLE")
    triggers.install(connection)


@pytest.mark.usefixtures("_as_application")
def test_application_writes_reads_and_erases(eve: User, kim: User) -> None:
    record(verbs.CHANGED, actor=eve, subject=eve, also=[kim], reason="Asked")
    assert Event.objects.about(kim).get().reason == "Asked"
    assert erase_reasons(eve, actor=kim) == 1


@pytest.mark.usefixtures("_as_application")
@pytest.mark.parametrize(
    "statement",
    [
        statement.format(table=table)
        for table in triggers.TABLES
        for statement in ("DELETE FROM {table}", "TRUNCATE {table} CASCADE")
    ]
    + [
        "UPDATE audit_event SET verb = 'record.viewed'",
        "UPDATE audit_eventsubject SET subject_id = '9'",
        "UPDATE audit_eventreason SET event_id = event_id",
        "UPDATE audit_seal SET hash = ''",
        "UPDATE audit_checkpoint SET hash = ''",
        "DROP TABLE audit_event",
        "CREATE TRIGGER no BEFORE INSERT ON audit_event EXECUTE FUNCTION audit_refuse()",
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
        "SET LOCAL session_replication_role = replica",
    ],
)
def test_application_changes_nothing(statement: str) -> None:
    refusal = pytest.raises(DatabaseError, match=r"permission denied|must be owner")
    with refusal, transaction.atomic():
        sql(statement)
