"""`manage.py import_profiles FILE --by USER`: keep the profiles of a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError

from backoffice.accounts.models import User
from backoffice.sheets import shared_profiles
from backoffice.sheets.profiles import ProfileError


class Command(BaseCommand):
    """Profiles of imports from a file of the project."""

    help = "Keep the import profiles of a JSON file; those of the same name are overwritten."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file and the person."""
        parser.add_argument("file", type=Path, help="a list, as fixtures/profiles.json")
        parser.add_argument("--by", metavar="USER", required=True, help="who keeps them")

    def handle(self, *args: Any, **options: Any) -> None:
        """Keep them, and say how many were new or changed."""
        actor = User.objects.filter(username=options["by"], is_active=True).first()
        if actor is None:
            raise CommandError(f"{options['by']!r} is nobody here.")
        try:
            count = shared_profiles.load(options["file"], actor=actor)
        except PermissionDenied:
            raise CommandError(f"{options['by']!r} may not keep profiles.") from None
        except ProfileError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} profiles new or changed")
