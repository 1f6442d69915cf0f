"""Phone numbers are checked, and compared with their country: their blind index is another one.

No column changes, so the fields change in the state alone (on SQLite the tables would be copied).
The index is computed after that forwards, and before it on the way back, in batches.
"""

from django.db import migrations

from backoffice.masking.fields import MaskedPhoneField
from backoffice.masking.indexes import BlindIndexField
from backoffice.masking.operations import FillIndexes

MODELS = ("customer", "historicalcustomer")


def fields():
    for name in MODELS:
        phone = MaskedPhoneField(blank=True, max_length=40, verbose_name="phone")
        yield migrations.AlterField(name, "phone", phone)
        index = BlindIndexField(kind="phone_number", source="phone")
        yield migrations.AlterField(name, "phone_index", index)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("customers", "0007_bank_account_newest")]

    operations = [
        *(FillIndexes(name, "phone") for name in MODELS),
        migrations.SeparateDatabaseAndState(state_operations=list(fields())),
        *(FillIndexes(name, "phone") for name in MODELS),
    ]
