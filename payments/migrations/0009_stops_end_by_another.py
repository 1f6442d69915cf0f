"""Whoever stopped refunds does not let them go on."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """A CHECK behind the service."""

    dependencies = [
        ("payments", "0008_books_only_grow"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="refundstop",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_by__isnull", True),
                    models.Q(("ended_by", models.F("stopped_by")), _negated=True),
                    _connector="OR",
                ),
                name="refund_stop_ended_by_another",
            ),
        ),
    ]
