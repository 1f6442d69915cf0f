"""The database refuses to change or take away what the record holds.

A later migration that alters one of these tables on SQLite makes the table anew and loses its
triggers: end it with the same operation.
"""

from django.db import migrations

from backoffice.audit import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor.connection)


def lift(apps, schema_editor):
    triggers.lift(schema_editor.connection)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION IF EXISTS audit_refuse()")


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_drop_reason_column")]

    operations = [migrations.RunPython(install, lift)]
