"""`manage.py privacy …`: after a restore, erase again who was erased."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.accounts.models import User
from customers.services import erased, erasure, privacy


class Command(BaseCommand):
    """The privacy desk from a terminal."""

    help = "After a restored backup: erase again who stands on the list of erased customers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add one parser a verb."""
        verb = parser.add_subparsers(dest="verb", required=True)
        reapply = verb.add_parser("reapply", help="erase again who is on the list")
        reapply.add_argument("--list", metavar="FILE", help="default: the file of the settings")
        reapply.add_argument("--by", metavar="USER", required=True, help="who decides it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Erase, and say how many. Raises CommandError for a wrong list or person."""
        actor = User.objects.filter(username=options["by"], is_active=True).first()
        if actor is None or not actor.has_perm(privacy.MANAGE):
            raise CommandError(f"{options['by']!r} is nobody who works on personal data requests.")
        path = Path(options["list"]) if options["list"] else erased.path()
        if not path.exists():
            raise CommandError(f"There is no list {path}.")
        try:
            entries = list(erased.read(path))
        except erased.ListError as error:
            raise CommandError(str(error)) from error
        cases = erasure.reapply(actor=actor, entries=entries)
        count = len(cases)
        self.stdout.write(
            f"{len(entries)} on the list, {count} customer{'s' * (count != 1)} erased again"
        )
