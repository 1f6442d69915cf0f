"""Mail may go to readers without an account, who are named by kind and key."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def forget_outside(apps, schema_editor):
    """Delete the mails of readers without an account."""
    mails = apps.get_model("mail", "Mail").objects.using(schema_editor.connection.alias)
    mails.filter(to_user=None).delete()


class Migration(migrations.Migration):
    """Backwards, such mails go: the older outbox cannot name their readers."""

    dependencies = [
        ('mail', '0002_secrets'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='mail',
            name='to_key',
            field=models.CharField(blank=True, default='', max_length=64, verbose_name='reader'),
        ),
        migrations.AddField(
            model_name='mail',
            name='to_kind',
            field=models.CharField(blank=True, default='', max_length=100, verbose_name='kind of reader'),
        ),
        migrations.AlterField(
            model_name='mail',
            name='to_user',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='to'),
        ),
        migrations.AddConstraint(
            model_name='mail',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('to_key', ''), ('to_kind', ''), ('to_user__isnull', False)), models.Q(('to_user__isnull', True), models.Q(('to_kind', ''), _negated=True), models.Q(('to_key', ''), _negated=True)), _connector='OR'), name='mail_has_one_reader'),
        ),
        migrations.RunPython(migrations.RunPython.noop, forget_outside),
    ]
