"""Kept files lie encrypted. Those of before expire now: they lie in clear, and can be made anew."""

from django.db import migrations, models
from django.utils import timezone


def _expire(apps, schema_editor):
    """Let the worker delete the files of before; a file lived a day at most anyway."""
    now = timezone.now()
    apps.get_model("files", "KeptFile").objects.filter(expires_at__gt=now).update(expires_at=now)


class Migration(migrations.Migration):
    """Add the sealed key of each file, and whether its download asks for proof."""

    dependencies = [("files", "0001_kept_files")]

    operations = [
        migrations.AddField(
            model_name="keptfile",
            name="sealed_key",
            field=models.TextField(default="", editable=False),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="keptfile",
            name="proof_due",
            field=models.BooleanField(default=False, verbose_name="asks for fresh proof"),
        ),
        # Backwards as well: without its key a sealed file is of no use to the code of before.
        migrations.RunPython(_expire, _expire),
    ]
