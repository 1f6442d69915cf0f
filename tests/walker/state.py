"""The whole database as digests, and what of it holds a canary."""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

_WRITES = re.compile(
    r"\s*(?:INSERT(?:\s+OR\s+\w+)?\s+INTO|REPLACE\s+INTO|UPDATE)\s+\"?(?P<table>\w+)", re.IGNORECASE
)


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
    return [leak for place, held in _places(log) for leak in leaks(held, canaries, place)]


@contextmanager
def writes() -> Iterator[set[str]]:
    """Gather the tables that the block writes."""
    found: set[str] = set()

    def note(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if match := _WRITES.match(sql):
            found.add(match["table"])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def left_in(written: Iterable[str], canaries: Iterable[Canary]) -> list[str]:
    """Return a line for each canary in tables that were written, sessions as they are read."""
    canaries, written = tuple(canaries), set(written)
    return [
        leak
        for place, held in _rows_of(written.intersection(tables()))
        for leak in leaks(held, canaries, place)
    ]


def _places(log: str) -> Iterator[tuple[str, str | bytes]]:
    yield "the log", log
    for message in getattr(mail, "outbox", []):
        yield "a mail", str(message.message())
    yield from _files()
    yield "the cache", repr(getattr(cache, "_cache", {}))
    yield from _rows_of(tables())


def _rows_of(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    names = sorted(names)
    if Session._meta.db_table in names:
        for session in Session.objects.all():
            yield "a session", repr(session.get_decoded())
    for table in names:
        if table not in AT_REST:
            yield f"table {table}", repr(_rows(table))


def _files() -> Iterator[tuple[str, bytes]]:
    """Yield what lies in the folder of people's files, and what this process left as temporary.

    As bytes: a workbook or an archive that was left behind is unpacked where it is searched.
    """
    for folder in {settings.MEDIA_ROOT, tempfile.tempdir or settings.MEDIA_ROOT}:
        for path in Path(folder).rglob("*"):
            if path.is_file():
                yield f"file {path}", path.read_bytes()
