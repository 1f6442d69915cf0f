"""`manage.py money check`: whether payments, refunds, ledger, gateways and settlements agree."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date

from payments.services import checking, settled
from payments.services.alarms import Wrong


def day(text: str) -> date:
    """Read "2026-01-31". Raises CommandError."""
    try:
        found = parse_date(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is no day: write 2026-01-31.")
    return found


class Command(BaseCommand):
    """Money from a terminal."""

    help = "Check that the books agree, with gateways and settlements too; exit code 1 if not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add one parser a verb."""
        verb = parser.add_subparsers(dest="verb", required=True)
        check = verb.add_parser("check", help="name every row that breaks a rule")
        check.add_argument("--gateway", action="store_true", help="ask the gateways as well")
        check.add_argument(
            "--settlements",
            action="store_true",
            help="and the days: open differences, days that were not compared, what is not settled",
        )
        check.add_argument(
            "--since", metavar="DAY", help="payments captured from this day on (UTC), days from it"
        )
        check.add_argument("--until", metavar="DAY", help="and before this one; default: all")
        check.add_argument("--limit", type=int, default=200, help="ask for so many payments (200)")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Print what is wrong, row by row. Raises SystemExit(1) where something is."""
        count = 0
        for wrong in chain(checking.books(), self._more(**options)):
            count += 1
            self.stdout.write(f"{wrong.rule}: {wrong.row}: {wrong.text}")
        if count:
            self.stderr.write(f"{count} found")
            raise SystemExit(1)
        self.stdout.write("All rules hold.")

    def _more(self, **options: Any) -> Iterator[Wrong]:
        """Return what gateways and settlements say otherwise, as far as that is asked for."""
        # Somewhere it is tomorrow already, and a day of such a gateway may have begun.
        later = timezone.now().date() + timedelta(days=2)
        since = day(options["since"]) if options["since"] else date(1970, 1, 1)
        until = day(options["until"]) if options["until"] else later
        asked: list[Iterator[Wrong]] = []
        if options["gateway"]:
            asked.append(checking.at_gateways(_begin(since), _begin(until), options["limit"]))
        if options["settlements"]:
            asked.append(settled.at_the_desk(since, until))
        return chain.from_iterable(asked)


def _begin(found: date) -> datetime:
    return datetime(found.year, found.month, found.day, tzinfo=UTC)
