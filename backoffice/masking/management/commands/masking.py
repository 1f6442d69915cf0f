"""`manage.py masking check|rotate`: the keys of masked fields."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.masking import indexes, rotation


class Command(BaseCommand):
    """Which keys the rows need; bringing all of them to the newest ones."""

    help = "Show which keys masked fields need, or bring every row to the newest ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one verb and the size of a batch."""
        parser.add_argument("verb", choices=["check", "rotate"])
        parser.add_argument("--batch", type=int, default=rotation.BATCH, help="rows at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; CommandError where an older key is still needed, or a value is lost."""
        if options["verb"] == "rotate":
            for name, rows in rotation.rotate(batch=options["batch"]).items():
                self.stdout.write(f"{name}: {rows} rows brought to the newest keys")
        problems: list[str] = []
        for state in rotation.check():
            self.stdout.write(f"{state.name}: {_words(state)}")
            problems += state.problems
        if problems:
            raise CommandError("; ".join(problems))
        self.stdout.write(_can_go())


def _words(state: rotation.State) -> str:
    counts = {f"key {key}": n for key, n in sorted(state.by_key.items())}
    counts |= {f"index {age}": n for age, n in sorted(state.index.items())}
    if state.unreadable:
        counts["unreadable"] = state.unreadable
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "empty"


def _can_go() -> str:
    older = indexes.key_ids()[1:]
    if not older:
        return "Everything is current."
    return f"Everything is current; {', '.join(older)} can leave BACKOFFICE_MASKING_INDEX_KEYS."
