"""`manage.py audit …`: seal, verify, anchor, purge the record of activity; erase typed reasons."""

from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from backoffice.audit import anchors, chain, retention, verbs
from backoffice.audit.services import erase_reasons, record
from backoffice.audit.verify import Report, verify


def moment(text: str) -> datetime:
    """Read "2026-01-31" (its start, in the system's zone) or a time. Raises CommandError."""
    try:
        time = parse_datetime(text)
        day = parse_date(text)
    except ValueError:
        time = day = None
    if time is None and day is not None:
        time = datetime.combine(day, datetime.min.time())
    if time is None:
        raise CommandError(f"{text!r} is no date: write 2026-01-31 or 2026-01-31T09:30.")
    return time if time.tzinfo else timezone.make_aware(time)


def person(username: str) -> Any:
    """Return the user. Raises CommandError."""
    try:
        return get_user_model()._default_manager.get_by_natural_key(username)
    except ObjectDoesNotExist:
        raise CommandError(f"There is no user {username!r}.") from None


def subject(label: str) -> Model:
    """Return the record "customers.customer:17". Raises CommandError."""
    kind, _, key = label.partition(":")
    try:
        row: Model = apps.get_model(kind)._default_manager.get(pk=key)
    except (LookupError, ValueError, ObjectDoesNotExist):
        raise CommandError(f"There is no record {label!r}; write customers.customer:17.") from None
    return row


class Command(BaseCommand):
    """The record of activity from a terminal."""

    help = "Seal, verify, anchor or purge the record of activity; erase typed reasons."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add one parser a verb."""
        verb = parser.add_subparsers(dest="verb", required=True)
        seal = verb.add_parser("seal", help="link what is committed (the worker does it by itself)")
        seal.add_argument("--late", action="store_true", help="take in events of a wrong time too")
        seal.add_argument("--by", metavar="USER", help="who decides that (with --late)")
        check = verb.add_parser("verify", help="compute every link anew; exit code 1 on a problem")
        check.add_argument("--since", metavar="DATE", help="begin at the first link of this time")
        check.add_argument("--anchors", metavar="FILE", help="default: the file of the settings")
        anchor = verb.add_parser("anchor", help="write the head down outside the database")
        anchor.add_argument("--file", help="append it here; default: the file of the settings")
        anchor.add_argument("--mail", metavar="ADDRESS", help="send it instead")
        purge = verb.add_parser("purge", help="delete old events, under maintenance")
        purge.add_argument("--before", metavar="DATE", required=True)
        purge.add_argument("--by", metavar="USER", required=True, help="who decides it")
        purge.add_argument("--confirm", action="store_true", help="without it: only count")
        erase = verb.add_parser("erase-reasons", help="erase what was typed about a record")
        erase.add_argument("subject", help="for example customers.customer:17")
        erase.add_argument("--by", metavar="USER", required=True, help="who decides it")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Do what the verb says."""
        getattr(self, verb.replace("-", "_"))(options)

    def seal(self, options: dict[str, Any]) -> None:
        """Link; events of a wrong time only when somebody stands for it."""
        if options["late"] and not options["by"]:
            raise CommandError("Name who takes the late events in: --by USER.")
        chain.seal()
        if options["late"]:
            actor = person(options["by"])
            taken = chain.seal(late=True)
            record(verbs.TAKEN_IN, actor=actor, context={"events": taken})
            chain.seal()
        head = chain.head()
        self.stdout.write(f"{head.position} links, head {head.hash}")

    def verify(self, options: dict[str, Any]) -> None:
        """Check and tell; exit code 1 on a problem."""
        since = moment(options["since"]) if options["since"] else None
        path = Path(options["anchors"]) if options["anchors"] else anchors.default_file()
        if options["anchors"] and path and not path.exists():
            raise CommandError(f"There is no file {path}.")
        known = anchors.read(path) if path and path.exists() else ()
        try:
            report = verify(since=since, anchors=known)
        except anchors.AnchorError as error:
            raise CommandError(str(error)) from error
        for line in lines(report):
            self.stdout.write(line)
        if not report.sound:
            raise CommandError("\n".join(map(str, report.problems)))

    def anchor(self, options: dict[str, Any]) -> None:
        """Append the head to a file, or send it."""
        path = Path(options["file"]) if options["file"] else anchors.default_file()
        if not options["mail"] and path is None:
            raise CommandError("Say where: --file, --mail, or BACKOFFICE_AUDIT_ANCHORS.")
        anchor = anchors.take()
        if options["mail"]:
            anchors.mail(anchor, options["mail"])
        elif path is not None:
            anchors.append(anchor, path)
        self.stdout.write(anchor.line())

    def purge(self, options: dict[str, Any]) -> None:
        """Count, or delete."""
        before, actor = moment(options["before"]), person(options["by"])
        try:
            last = retention.last_position(before)
            if not options["confirm"]:
                self.stdout.write(f"links up to {last or 'none'} would go; add --confirm to do it")
                return
            count = retention.purge(before, actor=actor)
        except retention.TooYoungError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} events purged")

    def erase_reasons(self, options: dict[str, Any]) -> None:
        """Erase, and say how many."""
        count = erase_reasons(subject(options["subject"]), actor=person(options["by"]))
        self.stdout.write(f"{count} reasons erased")


def lines(report: Report) -> Iterable[str]:
    """Yield what was checked, in words."""
    yield f"{report.checked} links checked, from {report.first} on; head {report.head.hash}"
    yield f"{report.anchors} anchors compared, {report.erased} reasons erased, {report.late} late"
    oldest = f", the oldest of {report.oldest_unsealed}" if report.oldest_unsealed else ""
    yield f"{report.unsealed} events not sealed yet{oldest}"
