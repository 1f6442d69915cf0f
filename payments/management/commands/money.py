"""`manage.py money check`: whether payments, refunds, ledger and gateways agree."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date

from payments.services import checking
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

    help = "Check that payments, refunds, ledger and gateways agree; exit code 1 where they do not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add one parser a verb."""
        verb = parser.add_subparsers(dest="verb", required=True)
        check = verb.add_parser("check", help="name every row that breaks a rule")
        check.add_argument("--gateway", action="store_true", help="ask the gateways as well")
        check.add_argument(
            "--since", metavar="DAY", help="payments captured from this day on (UTC)"
        )
        check.add_argument("--until", metavar="DAY", help="and before this one; default: all")
        check.add_argument("--limit", type=int, default=200, help="so many payments at most (200)")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Print what is wrong, row by row. Raises SystemExit(1) where something is."""
        count = 0
        for wrong in chain(checking.books(), self._asked(**options)):
            count += 1
            self.stdout.write(f"{wrong.rule}: {wrong.row}: {wrong.text}")
        if count:
            self.stderr.write(f"{count} found")
            raise SystemExit(1)
        self.stdout.write("All rules hold.")

    def _asked(self, **options: Any) -> Iterator[Wrong]:
        if not options["gateway"]:
            return iter(())
        tomorrow = timezone.now().date() + timedelta(days=1)
        since = day(options["since"]) if options["since"] else date(1970, 1, 1)
        until = day(options["until"]) if options["until"] else tomorrow
        return checking.at_gateways(_begin(since), _begin(until), options["limit"])


def _begin(found: date) -> datetime:
    return datetime(found.year, found.month, found.day, tzinfo=UTC)
