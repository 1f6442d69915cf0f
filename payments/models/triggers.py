"""What the database itself refuses to let happen to the books, whoever writes and by whatever way.

Rows of the ledger, parts and tries of refunds and proofs of gateways are never changed or deleted.
A booking balances when its transaction commits: on PostgreSQL by a deferred constraint trigger. On
SQLite, which has none, a booking stands in `payments_unbalanced` from its first row until its
entries add up to zero; that table's key leads nowhere, and is checked at COMMIT. What balanced is
sealed there: no further entry can be added. Nothing is booked on a day that was closed.

SQLite drops the triggers of a table that a migration rebuilds: such a migration has to end with
`install`.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

from backoffice.audit.triggers import AppendOnly

BOOKING, ENTRY = "payments_ledgertransaction", "payments_ledgerentry"
ONLY_GROW = AppendOnly(
    {
        BOOKING: ("id", "key", "reverses_id"),
        ENTRY: ("id",),
        "payments_refundpart": ("id",),
        "payments_refundattempt": ("id",),
        "payments_gatewayverification": ("id",),
    },
    "payments_refuse",
)

_CLOSED = (
    "EXISTS (SELECT 1 FROM payments_reconciledday"
    " WHERE gateway = NEW.gateway AND day = NEW.day AND state = 'closed')"
)
_OTHER_CURRENCY = (
    "NEW.currency <>"
    " (SELECT currency FROM payments_ledgertransaction WHERE id = NEW.transaction_id)"
)
# The tables exist for one thing: a row of the first breaks its key, and the key waits for COMMIT.
_SQLITE_TABLES = (
    "CREATE TABLE IF NOT EXISTS payments_never (id INTEGER NOT NULL PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS payments_unbalanced (
        booking_id INTEGER NOT NULL PRIMARY KEY,
        minor INTEGER NOT NULL DEFAULT 0,
        entries INTEGER NOT NULL DEFAULT 0,
        must_balance INTEGER NOT NULL DEFAULT 1
            REFERENCES payments_never (id) DEFERRABLE INITIALLY DEFERRED)""",
)
# name -> (table, when, what is done)
_SQLITE = {
    "booking_on_closed_day": (BOOKING, "BEFORE", _CLOSED, ""),
    "booking_opens": (
        BOOKING,
        "AFTER",
        "",
        "INSERT INTO payments_unbalanced (booking_id) VALUES (NEW.id)",
    ),
    "entry_of_sealed_booking": (
        ENTRY,
        "BEFORE",
        "NOT EXISTS (SELECT 1 FROM payments_unbalanced WHERE booking_id = NEW.transaction_id)",
        "",
    ),
    "entry_of_another_currency": (ENTRY, "BEFORE", _OTHER_CURRENCY, ""),
    "entry_counts": (
        ENTRY,
        "AFTER",
        "",
        """UPDATE payments_unbalanced SET minor = minor + NEW.minor, entries = entries + 1
            WHERE booking_id = NEW.transaction_id;
        DELETE FROM payments_unbalanced
            WHERE booking_id = NEW.transaction_id AND minor = 0 AND entries >= 2""",
    ),
}
_REFUSE = "USING ERRCODE = 'check_violation'"
_UNBALANCED = (
    "SELECT COALESCE(SUM(minor), 0) <> 0 OR COUNT(*) < 2 FROM payments_ledgerentry"
    " WHERE transaction_id = {key}"
)
# name -> the condition under which a row is refused
_POSTGRESQL_FUNCTIONS = {
    "booking_on_closed_day": _CLOSED,
    "entry_of_another_currency": _OTHER_CURRENCY,
    "booking_balances": f"({_UNBALANCED.format(key='NEW.id')})",
    "entry_balances": f"({_UNBALANCED.format(key='NEW.transaction_id')})",
}
_AT_COMMIT = "DEFERRABLE INITIALLY DEFERRED"
# name -> (table, kind of trigger, when, until when it may wait)
_POSTGRESQL = {
    "booking_on_closed_day": (BOOKING, "TRIGGER", "BEFORE", ""),
    "entry_of_another_currency": (ENTRY, "TRIGGER", "BEFORE", ""),
    "booking_balances": (BOOKING, "CONSTRAINT TRIGGER", "AFTER", _AT_COMMIT),
    "entry_balances": (ENTRY, "CONSTRAINT TRIGGER", "AFTER", _AT_COMMIT),
}


def install(connection: BaseDatabaseWrapper) -> None:
    """Make all of it; a second time changes nothing."""
    ONLY_GROW.install(connection)
    _take_down(connection)
    with connection.cursor() as cursor:
        for statement in _all(connection.vendor):
            cursor.execute(statement)


def lift(connection: BaseDatabaseWrapper) -> None:
    """Take the triggers away: for a migration back and for the tests' flush alone."""
    ONLY_GROW.lift(connection)
    _take_down(connection)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take away what `install` made, functions and tables as well."""
    lift(connection)
    functions = ["payments_refuse", *(f"payments_{name}" for name in _POSTGRESQL_FUNCTIONS)]
    gone = (
        [f"DROP FUNCTION IF EXISTS {name}()" for name in functions]
        if connection.vendor == "postgresql"
        else ["DROP TABLE IF EXISTS payments_unbalanced", "DROP TABLE IF EXISTS payments_never"]
    )
    with connection.cursor() as cursor:
        for statement in gone:
            cursor.execute(statement)


def _all(vendor: str) -> list[str]:
    """Return the statements that make tables, functions and triggers."""
    if vendor != "postgresql":
        return [*_SQLITE_TABLES, *(_sqlite(name, *how) for name, how in _SQLITE.items())]
    functions = [
        f"CREATE OR REPLACE FUNCTION payments_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {refused} THEN RAISE EXCEPTION '{name}' {_REFUSE}; END IF; RETURN NEW; END $$"
        for name, refused in _POSTGRESQL_FUNCTIONS.items()
    ]
    triggers = [
        f"CREATE {kind} {name} {when} INSERT ON {table} {wait}"
        f" FOR EACH ROW EXECUTE FUNCTION payments_{name}()"
        for name, (table, kind, when, wait) in _POSTGRESQL.items()
    ]
    return functions + triggers


def _sqlite(name: str, table: str, when: str, refused: str, does: str) -> str:
    condition = f" WHEN {refused}" if refused else ""
    action = does or f"SELECT RAISE(ABORT, '{name}')"
    return f"CREATE TRIGGER {name} {when} INSERT ON {table}{condition} BEGIN {action}; END"


def _take_down(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for name, (table, *_how) in _POSTGRESQL.items():
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        else:
            for name in _SQLITE:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
