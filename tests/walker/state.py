"""The whole database as digests, and what of it holds a canary."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.db.models import Model

from backoffice.accounts.models import Counter
from backoffice.audit.models import Event, EventReason, EventSubject
from customers.models import Customer
from tests.canaries import Canary, leaks

# A visit leaves a session, counts against limits and events behind. Everything else is changed by
# verbs only.
LEFT_BEHIND: tuple[type[Model], ...] = (
    Session,
    UserSession,
    Counter,
    Event,
    EventReason,
    EventSubject,
)
# Masked columns are clear at rest, here and in the history; nowhere else.
AT_REST = (Customer._meta.db_table, Customer.history.model._meta.db_table)


def tables() -> list[str]:
    """Return all tables of the database."""
    return sorted(connection.introspection.table_names())


def _rows(table: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(table)
        cursor.execute(f"SELECT * FROM {name}")  # noqa: S608 - a name the database gave
        return sorted(cursor.fetchall(), key=repr)


def snapshot() -> dict[str, str]:
    """Return table -> number of rows and digest of them, of what a GET may not change."""
    left = {model._meta.db_table for model in LEFT_BEHIND}
    return {table: _digest(_rows(table)) for table in tables() if table not in left}


def _digest(rows: list[tuple[Any, ...]]) -> str:
    return f"{len(rows)} rows {hashlib.sha256(repr(rows).encode()).hexdigest()}"


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return a line for each table that is not what it was."""
    return [
        f"{table}: {before.get(table, 'absent')} became {after.get(table, 'absent')}"
        for table in sorted(before.keys() | after.keys())
        if before.get(table) != after.get(table)
    ]


def kept(canaries: Iterable[Canary], log: str) -> list[str]:
    """Return a line for each canary in logs, mails, cache, sessions and rows of other tables."""
    canaries = tuple(canaries)
    return [leak for place, text in _places(log) for leak in leaks(text, canaries, place)]


def _places(log: str) -> Iterator[tuple[str, str]]:
    yield "the log", log
    for message in getattr(mail, "outbox", []):
        yield "a mail", str(message.message())
    yield from _files()
    yield "the cache", repr(getattr(cache, "_cache", {}))
    for session in Session.objects.all():
        yield "a session", repr(session.get_decoded())
    for table in tables():
        if table not in AT_REST:
            yield f"table {table}", repr(_rows(table))


def _files() -> Iterator[tuple[str, str]]:
    """Yield what lies in the folder of people's files, and what this process left as temporary."""
    for folder in {settings.MEDIA_ROOT, tempfile.tempdir or settings.MEDIA_ROOT}:
        for path in Path(folder).rglob("*"):
            if path.is_file():
                yield f"file {path}", path.read_bytes().decode("latin-1")
