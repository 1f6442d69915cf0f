"""A vote never changes, but for one thing: its comment can be emptied.

What an approver typed may be about a person whose data has to be erased. Who decided what, and
when, stays.
"""

from django.db import migrations

VOTE = "approvals_vote"
NAME = "vote_changed"
# Empties the comment and changes nothing else.
ERASES = "NEW.comment = '' AND " + " AND ".join(
    f"NEW.{column} = OLD.{column}"
    for column in ("id", "request_id", "voter_id", "seat_id", "maker_id", "choice", "at")
)


def up(vendor, refused):
    """Return the statements that put the guard up with this condition."""
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER {NAME} BEFORE UPDATE ON {VOTE} WHEN {refused} "
            f"BEGIN SELECT RAISE(ABORT, '{NAME}'); END"
        ]
    return [
        f"CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {refused} THEN RAISE EXCEPTION '{NAME}' USING ERRCODE = 'check_violation'; "
        "END IF; RETURN NEW; END $$"
    ]


def replace(schema_editor, refused):
    vendor = schema_editor.connection.vendor
    if vendor == "sqlite":
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {NAME}", params=None)
    for statement in up(vendor, refused):
        schema_editor.execute(statement, params=None)


def allow(apps, schema_editor):
    replace(schema_editor, f"NOT ({ERASES})")


def forbid(apps, schema_editor):
    replace(schema_editor, "1 = 1")


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_guards")]

    operations = [migrations.RunPython(allow, forbid)]
