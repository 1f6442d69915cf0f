"""What refunds were for moves into parts, and each refund names its gateway."""

from django.db import migrations
from django.db.models import OuterRef, Subquery

BATCH = 1000


def take_over(apps, schema_editor):
    """Make a part of each refund: of its line, or of no single one."""
    refunds = apps.get_model("payments", "Refund").objects.using(schema_editor.connection.alias)
    payments = apps.get_model("payments", "Payment").objects.using(schema_editor.connection.alias)
    parts = apps.get_model("payments", "RefundPart")
    gateway = payments.filter(pk=OuterRef("payment")).values("gateway")[:1]
    refunds.filter(gateway="").update(gateway=Subquery(gateway))
    made = (
        parts(
            refund_id=refund.pk,
            order_line_id=refund.order_line_id,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
        )
        for refund in refunds.filter(parts=None).order_by("pk").iterator(BATCH)
    )
    parts.objects.using(schema_editor.connection.alias).bulk_create(made, batch_size=BATCH)


def give_back(apps, schema_editor):
    """Note the line of each refund that is for one line alone."""
    refunds = apps.get_model("payments", "Refund").objects.using(schema_editor.connection.alias)
    parts = apps.get_model("payments", "RefundPart").objects.using(schema_editor.connection.alias)
    line = parts.filter(refund=OuterRef("pk")).order_by("pk").values("order_line")[:1]
    refunds.update(order_line=Subquery(line))
    parts.all().delete()


class Migration(migrations.Migration):
    """One row a refund; the columns it reads go in the next one."""

    dependencies = [("payments", "0004_money_books_and_gates")]
    operations = [migrations.RunPython(take_over, give_back)]
