"""Payments that a sheet told of are never reserved or refunded.

SQLite loses the triggers of a table that is remade: they are made again at the end of either way.
"""

from django.db import migrations, models

from payments.models import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    """A CHECK behind the service."""

    dependencies = [("payments", "0013_payments_of_sheets")]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, install),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("gateway", "sheet"), _negated=True),
                    models.Q(("refunded_minor", 0), ("reserved_minor", 0)),
                    _connector="OR",
                ),
                name="payment_of_sheet_stays",
            ),
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
