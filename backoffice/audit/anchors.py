"""The chain's head, kept where who can write to the database cannot: a file, or a mail.

A chain that only its owner keeps can be written anew from any point; an anchor outside shows it,
and shows a tail that was cut off.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from backoffice.audit import chain


class AnchorError(ValueError):
    """A line of an anchor file is no anchor."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head as it was: number of the last link, its hash, and when that was."""

    position: int
    hash: str
    time: datetime

    def line(self) -> str:
        """Return it as one line of JSON."""
        time = self.time.astimezone(UTC).isoformat(timespec="seconds")
        return json.dumps({"position": self.position, "hash": self.hash, "time": time})


def default_file() -> Path | None:
    """Return the file of the settings, None where there is none."""
    name = getattr(settings, "BACKOFFICE_AUDIT_ANCHORS", "")
    return Path(name) if name else None


def take() -> Anchor:
    """Link what is committed and return the head."""
    chain.seal()
    head = chain.head()
    return Anchor(head.position, head.hash, timezone.now())


def append(anchor: Anchor, path: Path) -> None:
    """Add the anchor to the file, which is made where it is missing (readable by its owner)."""
    if not path.exists():
        path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        file.write(anchor.line() + "\n")


def mail(anchor: Anchor, address: str) -> None:
    """Send the anchor to an address; the mail server keeps what this system cannot change."""
    subject = f"Head of the record of activity: {anchor.position}"
    send_mail(subject, anchor.line() + "\n", None, [address])


def read(path: Path) -> Iterator[Anchor]:
    """Yield the anchors of a file, oldest first. Raises AnchorError for a line that is none."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _parse(line, f"{path}, line {number}")


def _parse(line: str, where: str) -> Anchor:
    try:
        found = json.loads(line)
        time = datetime.fromisoformat(found["time"])
        return Anchor(int(found["position"]), str(found["hash"]), time)
    except (ValueError, KeyError, TypeError) as error:
        raise AnchorError(f"{where} is no anchor") from error


def keep() -> None:
    """Anchor to the file of the settings if the head has moved since its last line."""
    path = default_file()
    if path is None:
        return
    anchor, last = take(), None
    if path.exists():
        for last in read(path):  # noqa: B007 - the last line is what is wanted
            pass
    if anchor.position and (last is None or last.hash != anchor.hash):
        append(anchor, path)
