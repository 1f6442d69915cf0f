"""A row that came too late is a difference of its own; what healed is not what people solved."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Choices alone."""

    dependencies = [
        ('payments', '0009_stops_end_by_another'),
    ]

    operations = [
        migrations.AlterField(
            model_name='break',
            name='kind',
            field=models.CharField(choices=[('missing_here', 'Missing here'), ('missing_there', 'Missing at the gateway'), ('amount', 'Amount differs'), ('currency', 'Currency differs'), ('fee', 'Fee differs'), ('twice', 'Settled twice'), ('late', 'Came after the day was closed'), ('books', 'Our books disagree')], max_length=14, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='break',
            name='state',
            field=models.CharField(choices=[('open', 'Open'), ('proposed', 'Waits for a second person'), ('solved', 'Solved'), ('healed', 'Healed by itself')], db_index=True, default='open', max_length=8, verbose_name='state'),
        ),
        migrations.AlterField(
            model_name='historicalbreak',
            name='kind',
            field=models.CharField(choices=[('missing_here', 'Missing here'), ('missing_there', 'Missing at the gateway'), ('amount', 'Amount differs'), ('currency', 'Currency differs'), ('fee', 'Fee differs'), ('twice', 'Settled twice'), ('late', 'Came after the day was closed'), ('books', 'Our books disagree')], max_length=14, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='historicalbreak',
            name='state',
            field=models.CharField(choices=[('open', 'Open'), ('proposed', 'Waits for a second person'), ('solved', 'Solved'), ('healed', 'Healed by itself')], db_index=True, default='open', max_length=8, verbose_name='state'),
        ),
    ]
