"""An alarm of a new kind: somebody was given a right to clear values."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The column stays as it is; only the choices grow."""

    dependencies = [("masking", "0002_alarms_purposes")]

    operations = [
        migrations.AlterField(
            model_name="alarm",
            name="kind",
            field=models.CharField(
                choices=[
                    ("limit", "Stopped at the limit"),
                    ("unusual", "Twice as many as usual"),
                    ("right", "Access to clear values given"),
                ],
                max_length=10,
                verbose_name="what",
            ),
        ),
    ]
