"""`manage.py demo`: fills an empty database with the demo, or throws the demo away (`--reset`)."""

import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from backoffice.accounts.models import User
from backoffice.project import seed, seed_money
from backoffice.project.supervisor import AlreadyRunningError, only_one

# What the demo leaves in the data folder, beside logs and locks that are nobody's loss.
DATA = ("backoffice.sqlite3*", "gateway*.sqlite3*", "files", "audit-anchors.jsonl")


def is_empty() -> bool:
    """Say whether nobody has an account yet: then nobody's data can be in the way."""
    return not User.objects.exists()


def log_ins() -> list[str]:
    """Return one line a demo person, and the password of all."""
    width = max(len(person.username) for person in seed.PEOPLE)
    lines = [f"  {person.username:<{width}}  {person.what}" for person in seed.PEOPLE]
    return [f"Log-ins, all with the password {seed.PASSWORD}:", *lines]


class Command(BaseCommand):
    """Seeds or resets the demo; never in production."""

    help = "Fill an empty database with the demo. With --reset: throw all data away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--reset", action="store_true", help="throw all data away")
        parser.add_argument(
            "--confirm", action="store_true", help="needed to reset the database of DATABASE_URL"
        )

    def handle(self, *args: Any, reset: bool, confirm: bool, **options: Any) -> None:
        """Seed or reset. Raises CommandError in production, and where data is in the way."""
        if settings.PRODUCTION:
            raise CommandError("The demo is not for production: its passwords are public.")
        if reset:
            self.reset(confirm=confirm)
        else:
            self.fill()

    def fill(self) -> None:
        """Seed people, shops, orders and payments or nothing; then what happened to the money."""
        if not is_empty():
            raise CommandError("The database is not empty; `make reset` throws its data away.")
        with transaction.atomic():
            seed.everything(self.say)
        # Refunds are sent to the gateway, and nobody sends them inside a transaction.
        seed_money.everything(self.say)

    def reset(self, *, confirm: bool) -> None:
        """Throw the local data away; a database that is elsewhere only when confirmed."""
        try:
            with only_one(Path(settings.VAR_DIR)):
                if connection.vendor == "postgresql":
                    self.empty_postgresql(confirm=confirm)
                self.remove_files()
        except AlreadyRunningError:
            raise CommandError("Stop what runs from this folder first.") from None
        self.say("all data is gone; `make run` fills it anew")

    def empty_postgresql(self, *, confirm: bool) -> None:
        """Drop every table. Raises CommandError unless confirmed."""
        name = connection.settings_dict["NAME"]
        if not confirm:
            raise CommandError(
                f"This drops every table of the database {name!r}: `make reset CONFIRM=1`."
            )
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")

    def remove_files(self) -> None:
        """Remove what the demo keeps in the data folder."""
        connection.close()
        for pattern in DATA:
            for path in Path(settings.VAR_DIR).glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def say(self, text: str) -> None:
        """Print one line of what happens."""
        self.stdout.write(f"· {text}")
        self.stdout.flush()
