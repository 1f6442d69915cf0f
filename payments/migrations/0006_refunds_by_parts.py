"""The single line of a refund goes, its parts say it; a gateway's reference stands once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """After the rows were moved."""

    dependencies = [("payments", "0005_parts_of_refunds")]
    operations = [
        migrations.RemoveField(
            model_name='historicalrefund',
            name='order_line',
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('gateway_ref', ''), _negated=True), fields=('gateway', 'gateway_ref'), name='refund_gateway_ref_once'),
        ),
        migrations.RemoveField(
            model_name='refund',
            name='order_line',
        ),
    ]
