"""The database itself refuses to change or take away what the record holds.

Installed by a migration, on SQLite and on PostgreSQL. Lifting them is a change of the schema: on
PostgreSQL it needs the owner of the tables, which the application's own role need not be.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# table -> the columns whose value may stand there once only
TABLES = {
    "audit_event": ("id",),
    "audit_eventsubject": ("id",),
    "audit_eventreason": ("event_id",),
    "audit_seal": ("position", "event_id", "hash"),
    "audit_checkpoint": ("position",),
}
REASONS = "audit_eventreason"
# Erasing empties text and salt and names the event that tells of it; once, and nothing else.
_ERASES = (
    "NEW.event_id = OLD.event_id AND NEW.text = '' AND NEW.salt = ''"
    " AND OLD.erased_in_id IS NULL AND NEW.erased_in_id IS NOT NULL"
)

_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% only grows: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$
"""


def _postgresql(table: str) -> dict[str, str]:
    """Return name -> SQL of the triggers of a table."""
    allowed = f"WHEN (NOT ({_ERASES}))" if table == REASONS else ""
    refuse = "EXECUTE FUNCTION audit_refuse()"
    return {
        f"{table}_no_update": (
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}"
            f" FOR EACH ROW {allowed} {refuse}"
        ),
        f"{table}_no_delete": (
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {refuse}"
        ),
        f"{table}_no_truncate": (
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT {refuse}"
        ),
    }


def _sqlite(table: str) -> dict[str, str]:
    """Return name -> SQL. INSERT OR REPLACE takes rows away without a DELETE, so it is refused."""
    allowed = f"WHEN NOT ({_ERASES})" if table == REASONS else ""
    same = " OR ".join(f"{column} = NEW.{column}" for column in TABLES[table])
    taken = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - our own names
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
    return {
        f"{table}_no_update": (
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {allowed} {refuse}"
        ),
        f"{table}_no_delete": f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        f"{table}_no_replace": (
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} {taken} {refuse}"
        ),
    }


def statements(vendor: str) -> dict[str, tuple[str, str]]:
    """Return name of trigger -> (its table, the SQL that makes it)."""
    made = _postgresql if vendor == "postgresql" else _sqlite
    return {name: (table, sql) for table in TABLES for name, sql in made(table).items()}


def present(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of the record's triggers that the database has, switched on."""
    query = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
        if connection.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = {str(name) for (name,) in cursor.fetchall()}
    return found & statements(connection.vendor).keys()


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the triggers that should be there and are not."""
    return sorted(statements(connection.vendor).keys() - present(connection))


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the triggers that are missing."""
    wanted = statements(connection.vendor)
    lacking = missing(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_FUNCTION)
        for name in lacking:
            table, sql = wanted[name]
            if connection.vendor == "postgresql":
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")  # it may be disabled
            cursor.execute(sql)


def lift(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers away. Only a migration back, the purge and the tests' flush do this."""
    _settle(connection)
    with connection.cursor() as cursor:
        for name, (table, _sql) in statements(connection.vendor).items():
            where = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{where}")


@contextmanager
def lifted(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Lift the triggers for a block that is one transaction: nobody else ever sees them gone."""
    with transaction.atomic(using=connection.alias):
        lift(connection)
        yield
        _settle(connection)
        install(connection)


def _settle(connection: BaseDatabaseWrapper) -> None:
    """Check foreign keys now: PostgreSQL alters no table that has such checks before it."""
    if connection.vendor == "postgresql":
        connection.check_constraints()
