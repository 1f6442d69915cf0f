"""`manage.py setup_code`: prints the code with which an empty installation is set up."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.accounts import setup


class Command(BaseCommand):
    """Makes a new code; it is good for a day, once."""

    help = "Print the code that the set-up page asks for."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it. Raises CommandError where there is nothing to set up."""
        try:
            code = setup.make_code()
        except setup.AlreadySetUpError:
            raise CommandError("There is nothing to set up here.") from None
        self.stdout.write(code)
