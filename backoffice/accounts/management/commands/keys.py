"""`manage.py keys check|rotate`: the secrets that lie sealed in the database."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice import keyring
from backoffice.accounts import sealed


class Command(BaseCommand):
    """How many values each key holds; sealing all of them with the newest one."""

    help = "Show by which keys secrets are sealed, or seal all of them with the newest key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one verb."""
        parser.add_argument("verb", choices=["check", "rotate"])

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; CommandError where an older key is still needed, or a value is lost."""
        if options["verb"] == "rotate":
            for name, rows in sealed.rotate().items():
                self.stdout.write(f"{name}: {rows} rows sealed anew")
        newest, problems = keyring.newest_id(), []
        for name, state in sealed.check().items():
            counts = ", ".join(f"{key} {n}" for key, n in sorted(state.by_key.items())) or "none"
            self.stdout.write(f"{name}: {counts}; unreadable {state.unreadable}")
            problems += [f"{state.old} of {name} need an older key"] * bool(state.old)
            problems += [f"{state.unreadable} of {name} open with no key"] * bool(state.unreadable)
        if problems:
            raise CommandError("; ".join(problems))
        self.stdout.write(f"Everything is sealed with {newest}; older keys can go.")
