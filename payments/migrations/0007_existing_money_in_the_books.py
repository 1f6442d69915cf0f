"""The ledger begins with the money that came in and went out before there was one.

In batches, each in a transaction of its own and by key, so that a run that was stopped goes on.
"""

from django.db import migrations, transaction

from payments.gateways.settling import settling

BATCH = 1000
CLEARING, SALES, RETURNS = "gateway_clearing", "sales", "sales_returns"


class Books:
    """Writes bookings of one kind from rows of one table."""

    def __init__(self, apps, schema_editor):
        self.alias = schema_editor.connection.alias
        self.bookings = self.rows(apps, "LedgerTransaction")
        self.entries = self.rows(apps, "LedgerEntry")

    def rows(self, apps, name):
        return apps.get_model("payments", name).objects.using(self.alias)

    def take_over(self, rows, booking, debit, credit):
        """Book each row once; `booking` returns key, columns and amount of one."""
        last = 0
        while part := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
            last = part[-1].pk
            with transaction.atomic(using=self.alias):
                self.write([booking(row) for row in part], debit, credit)

    def write(self, found, debit, credit):
        keys = [key for key, _columns, _minor in found]
        known = set(self.bookings.filter(key__in=keys).values_list("key", flat=True))
        new = [one for one in found if one[0] not in known]
        made = self.bookings.bulk_create(
            self.bookings.model(key=key, **columns) for key, columns, _minor in new
        )
        self.entries.bulk_create(
            self.entries.model(
                transaction=booking, account=account, minor=sign * minor, currency=booking.currency
            )
            for booking, (_key, _columns, minor) in zip(made, new, strict=True)
            for account, sign in ((debit, 1), (credit, -1))
        )


def captured(payment):
    columns = {
        "kind": "capture",
        "gateway": payment.gateway,
        "currency": payment.currency,
        "day": settling(payment.gateway).day(payment.captured_at),
        "payment_id": payment.pk,
    }
    return f"payment:{payment.pk}:captured", columns, payment.captured_minor


def refunded(refund):
    gateway = refund.payment.gateway
    columns = {
        "kind": "refund",
        "gateway": gateway,
        "currency": refund.currency,
        "day": settling(gateway).day(refund.finished_at or refund.created_at),
        "payment_id": refund.payment_id,
        "refund_id": refund.pk,
    }
    return f"refund:{refund.pk}:done", columns, refund.amount_minor


def take_over(apps, schema_editor):
    books = Books(apps, schema_editor)
    done = books.rows(apps, "Refund").filter(state__in=["succeeded", "external"])
    books.take_over(books.rows(apps, "Payment"), captured, CLEARING, SALES)
    books.take_over(done.select_related("payment"), refunded, RETURNS, CLEARING)


def give_back(apps, schema_editor):
    books = Books(apps, schema_editor)
    books.entries.all().delete()
    books.bookings.all().delete()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0006_refunds_by_parts")]
    operations = [migrations.RunPython(take_over, give_back)]
