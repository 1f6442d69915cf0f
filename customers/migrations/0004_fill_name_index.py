"""The blind index of names that were written before names could be searched, and of their history.

In batches, each committed by itself, so that a big table is never locked as a whole and a migration
that was killed goes on where it stopped.
"""

from django.db import migrations

from backoffice.masking.operations import FillIndexes


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("customers", "0003_name_search_born_address")]

    operations = [
        FillIndexes("customer", "name"),
        FillIndexes("historicalcustomer", "name"),
    ]
