
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0004_comments_of_votes_can_be_erased'),
        ('customers', '0005_merges'),
        ('files', '0002_sealed_files'),
        ('jobs', '0002_log_checkpoint_workers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='customer',
            name='erased_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='erased'),
        ),
        migrations.AddField(
            model_name='historicalcustomer',
            name='erased_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='erased'),
        ),
        migrations.CreateModel(
            name='PrivacyCase',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('export', 'All that is stored'), ('erasure', 'Erasure'), ('retention', 'Retention')], max_length=9, verbose_name='kind')),
                ('ground', models.CharField(choices=[('asked', 'The person asked for it'), ('not_needed', 'No longer needed (Art. 17(1)(a))'), ('consent', 'Consent withdrawn (Art. 17(1)(b))'), ('objection', 'Objection (Art. 17(1)(c))'), ('unlawful', 'Unlawfully processed (Art. 17(1)(d))'), ('law', 'A law demands it (Art. 17(1)(e))'), ('period', 'The period is over (Art. 5(1)(e))')], max_length=10, verbose_name='ground')),
                ('note', models.TextField(blank=True, verbose_name='note')),
                ('state', models.CharField(choices=[('open', 'Open'), ('waiting', 'Waits for approval'), ('running', 'Running'), ('done', 'Done'), ('refused', 'Refused')], default='open', max_length=7, verbose_name='state')),
                ('received_on', models.DateField(verbose_name='received')),
                ('due_on', models.DateField(verbose_name='due')),
                ('asked_at', models.DateTimeField(auto_now_add=True, verbose_name='opened')),
                ('terms', models.JSONField(blank=True, default=dict, verbose_name='periods')),
                ('receipt', models.JSONField(blank=True, default=dict, verbose_name='receipt')),
                ('digest', models.CharField(blank=True, max_length=64, verbose_name='hash of the receipt')),
                ('done_at', models.DateTimeField(blank=True, null=True, verbose_name='done')),
                ('approval', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.approvalrequest', verbose_name='approval')),
                ('asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='opened by')),
                ('customer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='privacy_cases', to='customers.customer', verbose_name='customer')),
                ('file', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='files.keptfile', verbose_name='file')),
                ('job', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='jobs.job', verbose_name='job')),
            ],
            options={
                'verbose_name': 'personal data request',
                'verbose_name_plural': 'personal data requests',
                'ordering': ['due_on', 'id'],
                'permissions': (('manage_privacycase', 'Can work on personal data requests'), ('approve_privacycase', 'Can approve personal data requests')),
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['state', 'due_on'], name='privacycase_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('customer__isnull', True), ('kind', 'retention')), models.Q(models.Q(('kind', 'retention'), _negated=True), ('customer__isnull', False)), _connector='OR'), name='privacycase_about_somebody'), models.CheckConstraint(condition=models.Q(('due_on__gte', models.F('received_on'))), name='privacycase_due_after'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'done'), _negated=True), models.Q(('done_at__isnull', False), models.Q(('digest', ''), _negated=True)), _connector='OR'), name='privacycase_done_with_receipt'), models.UniqueConstraint(condition=models.Q(('state__in', ['open', 'waiting', 'running'])), fields=('customer', 'kind'), name='privacycase_one_open_a_kind')],
            },
        ),
    ]
