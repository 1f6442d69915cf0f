"""The mails of signing in. This package stands below the outbox, which takes them over at start.

    post.register("accounts.new_device", label=…, subject=…, fields=("device",))
    post.send("accounts.new_device", to=person, reason=…, context={"device": "Firefox"})

A mail may carry a secret (a code, or the path of a link that opens without sign-in): the outbox
keeps it sealed, uses it only while it is good, and forgets it once the mail has left.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from backoffice.accounts.models import User

Queue = Callable[..., Any]


class NoOutboxError(RuntimeError):
    """A mail was to be sent, and no outbox has taken over."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One kind of mail; `fields` are the names of the values it holds."""

    name: str
    label: str | Promise
    subject: str | Promise
    fields: tuple[str, ...]


declared: list[Declared] = []
_queues: list[Queue] = []


def register(
    name: str, *, label: str | Promise, subject: str | Promise, fields: Iterable[str] = ()
) -> str:
    """Declare a mail and return its name; its text is `templates/mail/<name>.txt`."""
    declared.append(Declared(name, label, subject, tuple(fields)))
    return name


def deliver_by(queue: Queue) -> None:
    """Let `queue` take the mails (called by the outbox's `AppConfig.ready`)."""
    _queues[:] = [queue]


def send(
    template: str,
    *,
    to: User,
    reason: str | Promise,
    actor: User | None = None,
    context: Mapping[str, Any] | None = None,
    secret: str = "",
    good_until: datetime | None = None,
) -> None:
    """Ask for a mail in the running transaction; whoever has no address gets none.

    `secret` needs `good_until`: after that time it is not sent any more. Raises NoOutboxError.
    """
    if not to.email:
        return
    if not _queues:
        raise NoOutboxError(template)
    _queues[0](
        template,
        to=to,
        reason=str(reason),
        actor=actor,
        context=dict(context or {}),
        secret=secret,
        good_until=good_until,
    )
