"""The database refuses to change the books, and bookings that do not balance."""

from django.db import migrations

from payments.models import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor.connection)


def remove(apps, schema_editor):
    triggers.remove(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_existing_money_in_the_books")]
    operations = [migrations.RunPython(install, remove)]
