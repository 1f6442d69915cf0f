"""The database itself refuses to change or take away what only grows.

Installed by a migration, on SQLite and on PostgreSQL. Lifting them is a change of the schema: on
PostgreSQL it needs the owner of the tables, which the application's own role need not be. The
functions of this module speak of the record of activity; another app makes an `AppendOnly` of its
own tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

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

_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% only grows: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$
"""


@dataclass(frozen=True, slots=True)
class AppendOnly:
    """The triggers of tables whose rows are never changed or taken away.

    `tables` is table -> the columns whose value may stand there once only (for SQLite's INSERT OR
    REPLACE); `function` names what PostgreSQL's triggers call; `changes` is table -> SQL of the one
    kind of UPDATE that may be.
    """

    tables: Mapping[str, Sequence[str]]
    function: str
    changes: Mapping[str, str] = field(default_factory=dict)

    def _postgresql(self, table: str) -> dict[str, str]:
        """Return name -> SQL of the triggers of a table."""
        allowed = f"WHEN (NOT ({self.changes[table]}))" if table in self.changes else ""
        refuse = f"EXECUTE FUNCTION {self.function}()"
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

    def _sqlite(self, table: str) -> dict[str, str]:
        """Return name -> SQL. INSERT OR REPLACE takes rows away without a DELETE: refused."""
        allowed = f"WHEN NOT ({self.changes[table]})" if table in self.changes else ""
        same = " OR ".join(f"{column} = NEW.{column}" for column in self.tables[table])
        taken = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - our own names
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
        return {
            f"{table}_no_update": (
                f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {allowed} {refuse}"
            ),
            f"{table}_no_delete": (
                f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}"
            ),
            f"{table}_no_replace": (
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} {taken} {refuse}"
            ),
        }

    def statements(self, vendor: str) -> dict[str, tuple[str, str]]:
        """Return name of trigger -> (its table, the SQL that makes it)."""
        made = self._postgresql if vendor == "postgresql" else self._sqlite
        return {name: (table, sql) for table in self.tables for name, sql in made(table).items()}

    def present(self, connection: BaseDatabaseWrapper) -> set[str]:
        """Return the names of these triggers that the database has, switched on."""
        query = (
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
            if connection.vendor == "postgresql"
            else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        )
        with connection.cursor() as cursor:
            cursor.execute(query)
            found = {str(name) for (name,) in cursor.fetchall()}
        return found & self.statements(connection.vendor).keys()

    def missing(self, connection: BaseDatabaseWrapper) -> list[str]:
        """Return the names of the triggers that should be there and are not."""
        return sorted(self.statements(connection.vendor).keys() - self.present(connection))

    def install(self, connection: BaseDatabaseWrapper) -> None:
        """Make the triggers that are missing."""
        wanted = self.statements(connection.vendor)
        lacking = self.missing(connection)
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(_FUNCTION.format(name=self.function))
            for name in lacking:
                table, sql = wanted[name]
                if connection.vendor == "postgresql":  # it may be disabled
                    cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
                cursor.execute(sql)

    def lift(self, connection: BaseDatabaseWrapper) -> None:
        """Take the triggers away. Only a migration back, the purge and the tests' flush do this."""
        settle(connection)
        with connection.cursor() as cursor:
            for name, (table, _sql) in self.statements(connection.vendor).items():
                where = f" ON {table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{where}")


RECORD = AppendOnly(TABLES, "audit_refuse", {REASONS: _ERASES})


def statements(vendor: str) -> dict[str, tuple[str, str]]:
    """Return name of trigger -> (its table, the SQL that makes it)."""
    return RECORD.statements(vendor)


def present(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of the record's triggers that the database has, switched on."""
    return RECORD.present(connection)


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the triggers that should be there and are not."""
    return RECORD.missing(connection)


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the triggers that are missing."""
    RECORD.install(connection)


def lift(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers away. Only a migration back, the purge and the tests' flush do this."""
    RECORD.lift(connection)


@contextmanager
def lifted(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Lift the triggers for a block that is one transaction: nobody else ever sees them gone."""
    with transaction.atomic(using=connection.alias):
        lift(connection)
        yield
        settle(connection)
        install(connection)


def settle(connection: BaseDatabaseWrapper) -> None:
    """Check foreign keys now: PostgreSQL alters no table that has such checks before it."""
    if connection.vendor == "postgresql":
        connection.check_constraints()
