"""What the database itself refuses, whoever writes to it and by whatever way.

A vote names the maker of its request and is by nobody excluded from it; votes never change. A
request begins as requested and keeps its maker; it needs its votes to become approved, is executed
only from there, and stays as it ended. SQLite drops the triggers of a table that a migration
rebuilds: such a migration has to run `put_up` again.
"""

from django.db import migrations

REQUEST, VOTE = "approvals_approvalrequest", "approvals_vote"
EXCLUDED = "approvals_approvalrequest_excluded"
OVER = "('rejected', 'withdrawn', 'expired', 'void', 'executed', 'failed')"

# name -> (table, event, condition under which the write is refused)
GUARDS = {
    "vote_of_another_maker": (
        VOTE,
        "INSERT",
        f"NEW.maker_id <> (SELECT maker_id FROM {REQUEST} WHERE id = NEW.request_id)",
    ),
    "vote_of_somebody_excluded": (
        VOTE,
        "INSERT",
        f"EXISTS (SELECT 1 FROM {EXCLUDED} WHERE approvalrequest_id = NEW.request_id"
        " AND user_id IN (NEW.voter_id, NEW.seat_id))",
    ),
    "vote_changed": (VOTE, "UPDATE", "1 = 1"),
    "approval_begins_decided": (REQUEST, "INSERT", "NEW.state <> 'requested'"),
    "approval_of_another_maker": (REQUEST, "UPDATE", "NEW.maker_id <> OLD.maker_id"),
    "approval_needs_fewer": (REQUEST, "UPDATE", "NEW.approvers < OLD.approvers"),
    "approval_after_the_end": (
        REQUEST,
        "UPDATE",
        f"OLD.state IN {OVER} AND NEW.state <> OLD.state",
    ),
    "approval_back_to_votes": (
        REQUEST,
        "UPDATE",
        "OLD.state = 'approved' AND NEW.state NOT IN ('approved', 'executed', 'failed', 'void')",
    ),
    "approval_without_votes": (
        REQUEST,
        "UPDATE",
        "OLD.state = 'requested' AND NEW.state = 'approved' AND NEW.approvers >"
        f" (SELECT COUNT(*) FROM {VOTE} WHERE request_id = NEW.id AND choice = 'approve')",
    ),
    "approval_executed_unapproved": (
        REQUEST,
        "UPDATE",
        "OLD.state = 'requested' AND NEW.state IN ('executed', 'failed')",
    ),
}


def statements(vendor):
    """Return the statements that put the guards up and take them down."""
    up, down = [], []
    for name, (table, event, refused) in GUARDS.items():
        if vendor == "sqlite":
            up.append(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {refused} "
                f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
            )
            down.append(f"DROP TRIGGER IF EXISTS {name}")
        else:
            up.append(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF {refused} THEN RAISE EXCEPTION '{name}' USING ERRCODE = 'check_violation'; "
                "END IF; RETURN NEW; END $$"
            )
            up.append(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION {name}()"
            )
            down.append(f"DROP TRIGGER IF EXISTS {name} ON {table}")
            down.append(f"DROP FUNCTION IF EXISTS {name}()")
    return up, down


def put_up(apps, schema_editor):
    for statement in statements(schema_editor.connection.vendor)[0]:
        schema_editor.execute(statement, params=None)


def take_down(apps, schema_editor):
    for statement in statements(schema_editor.connection.vendor)[1]:
        schema_editor.execute(statement, params=None)


def rename_states(apps, schema_editor):
    """Until now "approved" meant done. What still waits is void at its next vote: nobody kept the
    facts that it rests on."""
    requests = apps.get_model("approvals", "ApprovalRequest").objects.using(
        schema_editor.connection.alias
    )
    for row in requests.filter(state="approved"):
        requests.filter(pk=row.pk).update(state="executed", executed_at=row.decided_at)


def rename_back(apps, schema_editor):
    requests = apps.get_model("approvals", "ApprovalRequest").objects.using(
        schema_editor.connection.alias
    )
    requests.filter(state="executed").update(state="approved")
    requests.filter(state__in=["void", "failed"]).update(state="expired")


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_votes")]

    operations = [
        migrations.RunPython(rename_states, rename_back),
        migrations.RunPython(put_up, take_down),
    ]
