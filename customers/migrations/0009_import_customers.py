from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0008_phone_numbers")]

    operations = [
        migrations.AlterModelOptions(
            name="customer",
            options={
                "ordering": ["number"],
                "permissions": (
                    ("export_customer", "Can export customers"),
                    ("import_customer", "Can import customers from sheets"),
                    ("merge_customer", "Can ask for a merge of two customers, and for its undoing"),
                    ("approve_merge", "Can approve merges of customers"),
                    ("see_reveals", "Can see who looked into a customer's personal data"),
                ),
                "verbose_name": "customer",
                "verbose_name_plural": "customers",
            },
        ),
    ]
