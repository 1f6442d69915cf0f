"""A difference may call for a person; an inquiry takes no money; looking at an event again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Choices and a right alone."""

    dependencies = [
        ('payments', '0011_gateway_names_and_credentials'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='inboxevent',
            options={'default_permissions': ('view',), 'ordering': ['-id'], 'permissions': (('look_again', 'Can have an event looked at again'),), 'verbose_name': 'event of a gateway', 'verbose_name_plural': 'events of gateways'},
        ),
        migrations.AlterField(
            model_name='break',
            name='kind',
            field=models.CharField(choices=[('missing_here', 'Missing here'), ('missing_there', 'Missing at the gateway'), ('amount', 'Amount differs'), ('currency', 'Currency differs'), ('fee', 'Fee differs'), ('twice', 'Settled twice'), ('late', 'Came after the day was closed'), ('books', 'Our books disagree'), ('person', 'Needs a person')], max_length=14, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='dispute',
            name='status',
            field=models.CharField(choices=[('inquiry', 'Inquiry'), ('announced', 'Announced'), ('open', 'Open'), ('won', 'Won'), ('lost', 'Lost')], db_index=True, default='open', max_length=10, verbose_name='state'),
        ),
        migrations.AlterField(
            model_name='historicalbreak',
            name='kind',
            field=models.CharField(choices=[('missing_here', 'Missing here'), ('missing_there', 'Missing at the gateway'), ('amount', 'Amount differs'), ('currency', 'Currency differs'), ('fee', 'Fee differs'), ('twice', 'Settled twice'), ('late', 'Came after the day was closed'), ('books', 'Our books disagree'), ('person', 'Needs a person')], max_length=14, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='historicaldispute',
            name='status',
            field=models.CharField(choices=[('inquiry', 'Inquiry'), ('announced', 'Announced'), ('open', 'Open'), ('won', 'Won'), ('lost', 'Lost')], db_index=True, default='open', max_length=10, verbose_name='state'),
        ),
    ]
