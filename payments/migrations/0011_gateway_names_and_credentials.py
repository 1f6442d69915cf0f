"""What a refund's key belongs to; gateways' names of things may have 200 characters.

SQLite loses the triggers of a table that is remade: they are made again at the end of either way.
"""

from django.db import migrations, models

from payments.models import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    """One column more, ten longer ones."""

    dependencies = [
        ("payments", "0010_late_and_healed_differences"),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, install),
        migrations.AddField(
            model_name="historicalrefund",
            name="sent_under",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=16,
                verbose_name="key belongs to",
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="sent_under",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=16,
                verbose_name="key belongs to",
            ),
        ),
        migrations.AlterField(
            model_name="dispute",
            name="reference",
            field=models.CharField(max_length=200, verbose_name="gateway's reference"),
        ),
        migrations.AlterField(
            model_name="historicaldispute",
            name="reference",
            field=models.CharField(max_length=200, verbose_name="gateway's reference"),
        ),
        migrations.AlterField(
            model_name="historicalpayment",
            name="reference",
            field=models.CharField(
                help_text="The gateway's name of the payment.",
                max_length=200,
                verbose_name="reference",
            ),
        ),
        migrations.AlterField(
            model_name="historicalrefund",
            name="gateway_ref",
            field=models.CharField(blank=True, max_length=200, verbose_name="gateway's reference"),
        ),
        migrations.AlterField(
            model_name="inboxevent",
            name="payment_reference",
            field=models.CharField(blank=True, max_length=200, verbose_name="payment"),
        ),
        migrations.AlterField(
            model_name="inboxevent",
            name="refund_reference",
            field=models.CharField(blank=True, max_length=200, verbose_name="gateway's reference"),
        ),
        migrations.AlterField(
            model_name="payment",
            name="reference",
            field=models.CharField(
                help_text="The gateway's name of the payment.",
                max_length=200,
                verbose_name="reference",
            ),
        ),
        migrations.AlterField(
            model_name="refund",
            name="gateway_ref",
            field=models.CharField(blank=True, max_length=200, verbose_name="gateway's reference"),
        ),
        migrations.AlterField(
            model_name="refundattempt",
            name="reference",
            field=models.CharField(blank=True, max_length=200, verbose_name="gateway's reference"),
        ),
        migrations.AlterField(
            model_name="settlemententry",
            name="payment_reference",
            field=models.CharField(blank=True, max_length=200, verbose_name="payment"),
        ),
        migrations.AlterField(
            model_name="settlemententry",
            name="reference",
            field=models.CharField(blank=True, max_length=200, verbose_name="gateway's reference"),
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]
