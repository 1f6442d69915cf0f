from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sheets", "0011_rows_left_together"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="droppedfile",
            name="dropped_bytes_once",
        ),
        migrations.AddConstraint(
            model_name="droppedfile",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("state__in", ["taking", "taken", "waiting", "started"]),
                    models.Q(("sha256", ""), _negated=True),
                ),
                fields=("folder", "sha256"),
                name="dropped_bytes_once",
            ),
        ),
    ]
