"""The blind index of names that were written before names could be searched, and of their history.

In batches, each committed by itself, so that a big table is never locked as a whole and a migration
that was killed goes on where it stopped.
"""

from django.db import migrations

BATCH = 1000


def fill(apps, connection):
    for name in ("Customer", "HistoricalCustomer"):
        model = apps.get_model("customers", name)
        rows = model.objects.using(connection.alias).filter(name_index=None)
        last = 0
        while batch := list(rows.filter(pk__gt=last).order_by("pk").only("name")[:BATCH]):
            # Computed from the name at hand; a row that was saved meanwhile has one and is left.
            rows.bulk_update(batch, ["name_index"])
            last = batch[-1].pk


def forwards(apps, schema_editor):
    fill(apps, schema_editor.connection)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("customers", "0003_name_search_born_address")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
