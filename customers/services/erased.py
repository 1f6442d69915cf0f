"""The list of who was erased, outside of the database: a backup that is restored knows them still.

One line of JSON a customer: the key, a hash that tells whether the row of that key is the same
customer (a restored database may give the key to another one), when, and the receipt's hash.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from customers.models import Customer


class ListError(ValueError):
    """A line of the list is none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One erased customer."""

    customer: int
    print: str
    at: str
    receipt: str


def path() -> Path:
    """Return the file of the settings."""
    return Path(settings.BACKOFFICE_ERASED_LIST)


def print_of(customer: Customer) -> str:
    """Return a hash of what never changes of a row and tells nothing of the person."""
    facts = f"{customer._meta.label_lower}:{customer.pk}:{customer.created_at.isoformat()}"
    return hashlib.sha256(facts.encode()).hexdigest()


def note(customers: Iterable[Customer], receipt: str) -> None:
    """Add those who are not on the list yet; on the disk when this returns."""
    known = {(one.customer, one.print) for one in read()}
    now = timezone.now().isoformat(timespec="seconds")
    new = [Entry(one.pk, print_of(one), now, receipt) for one in customers]
    lines = [json.dumps(asdict(one)) for one in new if (one.customer, one.print) not in known]
    if not lines:
        return
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as target:
        target.write("".join(f"{line}\n" for line in lines))
        target.flush()
        os.fsync(target.fileno())


def read(file: Path | None = None) -> Iterator[Entry]:
    """Yield the entries, oldest first. Raises ListError for a line that is none."""
    file = file or path()
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _parsed(line, f"{file}, line {number}")


def _parsed(line: str, where: str) -> Entry:
    try:
        found = json.loads(line)
        return Entry(int(found["customer"]), str(found["print"]), found["at"], found["receipt"])
    except (ValueError, KeyError, TypeError) as error:
        raise ListError(f"{where} tells of nobody") from error
