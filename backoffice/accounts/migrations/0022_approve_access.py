"""A right of its own for who agrees that somebody gets access to clear values."""

from django.db import migrations


class Migration(migrations.Migration):
    """The permission is made after the migration, as all are."""

    dependencies = [("accounts", "0021_explain_access")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": (
                    ("change_roles", "Can change what roles may do"),
                    ("manage_people", "Can invite people, give roles, block, and start a reset"),
                    ("end_sessions", "Can end other people's sessions"),
                    ("manage_tokens", "Can make service accounts and end anybody's tokens"),
                    ("act_for_seller", "Can act for a seller"),
                    ("explain_access", "Can ask why somebody may see something"),
                    ("approve_access", "Can agree that others get access to personal data"),
                ),
                "verbose_name": "person",
                "verbose_name_plural": "people",
            },
        )
    ]
