"""A right of its own for who may ask why somebody can see something."""

from django.db import migrations


class Migration(migrations.Migration):
    """The permission is made after the migration, as all are."""

    dependencies = [("accounts", "0020_session_stamp")]

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
                ),
                "verbose_name": "person",
                "verbose_name_plural": "people",
            },
        )
    ]
